//go:build !race

package cluster

import "github.com/haiku-queue/haiku/task"

// largePayload is the largest payload of a test.
const largePayload = task.MaxPayload
