package config_test

import (
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/config"
)

// load loads settings of a file and of the command line, without an environment.
func load(t *testing.T, file string, args ...string) (config.Config, error) {
	t.Helper()
	path := ""
	if file != "" {
		path = writeFile(t, file)
	}
	return config.Load(flagSet(t, args...), nil, path)
}

// TestHTTPListen: a node without flags serves HTTP on loopback, any other only where it is told.
func TestHTTPListen(t *testing.T) {
	for name, test := range map[string]struct {
		file              string
		args              []string
		listen, advertise string
		exposed           bool
	}{
		"by default":       {listen: "127.0.0.1:7421", advertise: "127.0.0.1:7421"},
		"off":              {args: []string{"--http-listen=off"}},
		"another port":     {args: []string{"--listen=127.0.0.1:7500"}},
		"a member":         {args: []string{"--bootstrap"}},
		"one that joins":   {args: []string{"--join=127.0.0.1:7500"}},
		"told so":          {args: []string{"--bootstrap", "--http-listen=127.0.0.1:80"}, listen: "127.0.0.1:80", advertise: "127.0.0.1:80"},
		"told by the file": {file: "http: {listen: '[::1]:7421'}\n", listen: "[::1]:7421", advertise: "[::1]:7421"},
		"every interface": {
			args:   []string{"--listen=10.0.0.1:7420", "--bootstrap", "--insecure", "--http-listen=0.0.0.0:80"},
			listen: "0.0.0.0:80", advertise: "10.0.0.1:80", exposed: true,
		},
		"every interface, another name": {
			args:   []string{"--listen=:7420", "--advertise=n1.example:7420", "--bootstrap", "--insecure", "--http-listen=:80"},
			listen: ":80", advertise: "n1.example:80", exposed: true,
		},
		"exposed, with a token": {
			args: []string{"--http-listen=10.0.0.1:80", "--bootstrap-token-file=f"}, listen: "10.0.0.1:80", advertise: "10.0.0.1:80", exposed: true,
		},
	} {
		c, err := load(t, test.file, test.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.HTTPListen() != test.listen || c.HTTPAdvertise() != test.advertise || c.HTTPExposed() != test.exposed {
			t.Errorf("%s: listens on %q, is %q to others, exposed %v", name, c.HTTPListen(), c.HTTPAdvertise(), c.HTTPExposed())
		}
	}
}

func TestHTTPRefusals(t *testing.T) {
	const small = "in small letters, without the scheme's own port"
	for file, want := range map[string]string{
		"listen: nowhere":               "HOST:PORT, or off",
		"listen: 127.0.0.1:0":           "http.listen",
		"listen: 127.0.0.1:7420":        "HTTP needs a port of its own",
		"listen: 10.0.0.1:80":           "--insecure on a network you trust",
		"listen: ':80'":                 "--bootstrap-token-file",
		"base_path: haiku":              "http.base_path",
		"base_path: /":                  "http.base_path",
		"base_path: /haiku/":            "without a slash at its end",
		"base_path: //haiku":            "http.base_path",
		"base_path: /a/../b":            "http.base_path",
		"base_path: '/{x}'":             "http.base_path",
		"base_path: '/a b'":             "http.base_path",
		"base_path: '/a;b'":             "letters, digits, - . _ ~ and /",
		"base_path: /ä":                 "http.base_path",
		`base_path: "/a\nb"`:            "http.base_path",
		"cors_origins: ['*']":           "no origin",
		"cors_origins: [null]":          "no origin",
		"cors_origins: [ops.example]":   "https://HOST or https://HOST:PORT",
		"cors_origins: [ftp://a]":       "no origin",
		"cors_origins: ['https://']":    "no origin",
		"cors_origins: ['https://:80']": "no origin",
		"cors_origins: [https://a/]":    "no origin",
		"cors_origins: [https://a/b]":   "no origin",
		"cors_origins: [https://u@a]":   "no origin",
		"cors_origins: [https://A]":     small,
		"cors_origins: [HTTPS://a]":     small,
		"cors_origins: [https://a:443]": small,
		"cors_origins: [http://a:80]":   small,
		"cors_origins: ['https://a:']":  small,
		"connections: 0":                "1 to 1000000",
		"requests: 0":                   "1 to 1000000",
		"requests: many":                "whole number",
		"body_timeout: 10ms":            "1s to 10m",
		"body_timeout: 1h":              "1s to 10m",
		"header_timeout: 1s":            "unknown key",
	} {
		_, err := load(t, "http: {"+file+"}\n")
		if err == nil || !strings.Contains(err.Error(), "http.") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", file, err, want)
		}
	}
}

func TestHTTPAccepted(t *testing.T) {
	c, err := load(t, "http: {base_path: /a/Haiku-1.0_x~, cors_origins: ['https://ops.example', 'http://10.0.0.1:8080', 'http://[::1]:1']}\n")
	if err != nil || c.HTTP.BasePath != "/a/Haiku-1.0_x~" || len(c.HTTP.CORSOrigins) != 3 {
		t.Errorf("%+v, %v", c.HTTP, err)
	}
	if c, err = load(t, ""); err != nil || c.HTTP.CORSOrigins != nil || c.HTTP.BasePath != "" {
		t.Errorf("by default %+v, %v", c.HTTP, err)
	}
	c, err = config.Load(flagSet(t), []string{"HAIKU_HTTP_CORS_ORIGINS=https://a,https://b", "HAIKU_HTTP_REQUESTS=7"}, "")
	if err != nil || len(c.HTTP.CORSOrigins) != 2 || c.HTTP.Requests != 7 {
		t.Errorf("by the environment %+v, %v", c.HTTP, err)
	}
}
