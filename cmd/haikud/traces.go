package main

import (
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/internal/otlp"
	"github.com/haiku-queue/haiku/internal/trace"
)

// openTraces starts what sends spans, if they are to be sent anywhere.
func (d *daemon) openTraces() (err error) {
	if d.cfg.Trace.OTLPEndpoint == "" {
		return nil
	}
	d.spans, err = otlp.Open(otlp.Config{
		Endpoint: d.cfg.Trace.OTLPEndpoint, Service: "haikud", Instance: d.dir.NodeID().String(), Node: d.name(),
		Version: buildinfo.Version(), Logger: d.log, Counted: d.meter.Spans,
	})
	return err
}

// recorder makes the node's spans; nil if nobody wants them.
func (d *daemon) recorder() *trace.Recorder {
	if d.spans == nil {
		return nil
	}
	return trace.NewRecorder(d.cfg.Trace.SampleRatio, d.spans.Add)
}
