package main

import (
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/web"
	"github.com/haiku-queue/haiku/web/ui"
)

// listenHTTP takes the port of the HTTP server, if there is to be one.
func (d *daemon) listenHTTP() (err error) {
	listen := d.cfg.HTTPListen()
	if listen == "" {
		return nil
	}
	h := d.cfg.HTTP
	d.web, err = web.Listen(web.Config{
		Addr: listen, BasePath: h.BasePath, Origins: h.CORSOrigins, Node: d.server.Addr().String(), Logger: d.log,
		DedupWindow: d.cfg.DedupWindow,
		Limits: web.Limits{
			Connections: h.Connections, Requests: h.Requests, BodyTimeout: h.BodyTimeout, Bodies: int64(d.cfg.Limits.TotalSize) / 4,
		},
	})
	return err
}

// serveHTTP serves it once the node is open.
func (d *daemon) serveHTTP() error {
	if d.web == nil {
		return nil
	}
	d.warnInsecure("http.listen", d.cfg.HTTPListen(), d.cfg.HTTPExposed())
	err := d.web.Serve(web.Sources{
		Inspector: d.node, Meter: d.meter, Journal: d.node, Pages: ui.Files(), Version: buildinfo.Version(),
	})
	if err == nil {
		d.log.Info("serving HTTP", "listen", d.cfg.HTTPListen(), "base path", d.cfg.HTTP.BasePath)
	}
	return err
}
