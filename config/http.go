package config

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"
)

const (
	soloHTTP = "127.0.0.1:7421"
	httpOff  = "off"
)

// HTTPListen is the HOST:PORT that serves HTTP; empty for none.
func (c *Config) HTTPListen() string {
	switch solo := c.Listen == Default().Listen && !c.Bootstrap && len(c.Join) == 0; {
	case c.HTTP.Listen == httpOff:
		return ""
	case c.HTTP.Listen == "" && solo:
		return soloHTTP
	}
	return c.HTTP.Listen
}

// HTTPAdvertise is the address under which people reach this node's HTTP server; empty if there is none.
func (c *Config) HTTPAdvertise() string {
	listen := c.HTTPListen()
	if listen == "" || !unspecified(listen) {
		return listen
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	host, err := splitAddress(c.AdvertiseAddress())
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// HTTPExposed reports whether others than this machine can reach the HTTP server.
func (c *Config) HTTPExposed() bool {
	host, err := splitAddress(c.HTTPListen())
	return err == nil && !isLoopback(host)
}

// ownPort is the port of each scheme that browsers leave out of an origin.
var ownPort = map[string]string{"http": "80", "https": "443"}

// notInPath: what neither needs an escape in a URL nor is left out of a cookie's path may stand in the base path.
func notInPath(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~/", r)
}

func (c *Config) checkHTTP() (problems []error) {
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if listen := c.HTTPListen(); listen != "" {
		if _, err := splitAddress(listen); err != nil {
			add("http.listen: %w (allowed: HOST:PORT, or off)", err)
		}
		if listen == c.Listen {
			add("http.listen: %s is listen, too; HTTP needs a port of its own", listen)
		}
	}
	if c.HTTPExposed() && !c.Insecure && !c.HasToken() {
		add("http.listen: %s can be reached by others and nothing checks who connects: use a loopback address, give a token "+
			"by --bootstrap-token-file or --token-file, or say --insecure on a network you trust", c.HTTP.Listen)
	}
	if base := c.HTTP.BasePath; base != "" && (!strings.HasPrefix(base, "/") || path.Clean(base) != base || base == "/" ||
		strings.ContainsFunc(base, notInPath)) {
		add("http.base_path: %q is not allowed (allowed: a path such as /haiku of letters, digits, - . _ ~ and /, without a slash "+
			"at its end)", base)
	}
	for _, origin := range c.HTTP.CORSOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Scheme+"://"+u.Host != origin ||
			origin != strings.ToLower(origin) || u.Port() == ownPort[u.Scheme] || strings.HasSuffix(u.Host, ":") {
			add("http.cors_origins: %q is no origin as browsers send it (allowed: https://HOST or https://HOST:PORT in small "+
				"letters, without the scheme's own port)", origin)
		}
	}
	return problems
}
