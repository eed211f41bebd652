// Package localnodes starts haikud processes of its own on free loopback ports, with their data in a temporary
// directory, kills and restarts them, and takes both away again. `haiku bench --local` and `make run` use such clusters.
//
// The processes inherit the environment, so HAIKU_ variables set what the flags here do not. On Linux they die with the
// process that started them, and what they use is read from /proc; elsewhere that is left out.
//
// Start returns a cluster whose nodes are all voters. Stop is idempotent. The methods are for one goroutine at a time.
package localnodes
