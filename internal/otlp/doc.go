// Package otlp sends a node's spans to a collector: OTLP over HTTP, as protobuf.
//
// Add takes a span without ever waiting: what the queue cannot hold is dropped and counted, and so is what the collector
// does not take after a few tries. A collector that hangs or is gone costs the node the queue's memory and one goroutine.
//
// It refuses to make spans, to choose among them, and to follow redirects. The messages are encoded here, without
// OpenTelemetry's SDK and exporters: those bring gRPC along and make the program 12 MB larger; encode.go names the fields.
//
// All methods may be called from many goroutines at once.
package otlp
