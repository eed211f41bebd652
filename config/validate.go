package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
)

// Validate reports every problem, each with its key and what is allowed. The error joins one line a problem.
func (c *Config) Validate() error {
	var problems []error
	for _, f := range fields(c) {
		if err := f.check(); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, c.checkOrder()...)
	problems = append(problems, c.checkStore()...)
	problems = append(problems, c.checkMemory()...)
	problems = append(problems, c.checkTrace()...)
	problems = append(problems, c.checkAddresses()...)
	problems = append(problems, c.checkHTTP()...)
	return errors.Join(problems...)
}

// problem names the setting and says what is allowed.
func problem(f *field, format string, args ...any) error {
	err := fmt.Errorf(f.key+": "+format, args...)
	if allowed := f.allowed(); allowed != "" {
		return fmt.Errorf("%w (allowed: %s)", err, allowed)
	}
	return err
}

// check holds a setting against the range in its tags.
func (f *field) check() error {
	if why := refusals[f.key+"="+f.text()]; why != "" {
		return problem(f, "%s is refused: %s", f.text(), why)
	}
	if len(f.oneOf) > 0 && !slices.Contains(f.oneOf, f.value.String()) {
		return problem(f, "%q is not known", f.value.String())
	}
	if f.min == "" {
		return nil
	}
	if f.value.CanFloat() {
		return f.checkFloat()
	}
	low, err := f.parseNumber(f.min)
	if err != nil {
		return problem(f, "%w", err)
	}
	high, err := f.parseNumber(f.max)
	if err != nil {
		return problem(f, "%w", err)
	}
	if n := f.value.Int(); n < low || n > high {
		return problem(f, "%s is out of range", f.text())
	}
	return nil
}

func (f *field) checkFloat() error {
	low, err := strconv.ParseFloat(f.min, 64)
	if err != nil {
		return problem(f, "%w", err)
	}
	high, err := strconv.ParseFloat(f.max, 64)
	if err != nil {
		return problem(f, "%w", err)
	}
	if v := f.value.Float(); !(v >= low && v <= high) { // not a number is out of range, too
		return problem(f, "%s is out of range", f.text())
	}
	return nil
}

// checkTrace wants the URL of a collector, if there is one.
func (c *Config) checkTrace() []error {
	endpoint := c.Trace.OTLPEndpoint
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return []error{fmt.Errorf("trace.otlp_endpoint: %q is no address of a collector "+
			"(allowed: empty, or a URL such as http://127.0.0.1:4318)", endpoint)}
	}
	return nil
}

// checkOrder holds settings against each other.
func (c *Config) checkOrder() []error {
	var problems []error
	add := func(key string, value any, differs, other string, bound any, allowed string) {
		problems = append(problems, fmt.Errorf("%s: %v is %s than %s, %v (allowed: %s that)",
			key, value, differs, other, bound, allowed))
	}
	r, l := &c.Raft, &c.Limits
	if r.ElectionTimeout < r.HeartbeatTimeout {
		add("raft.election_timeout", r.ElectionTimeout, "less", "raft.heartbeat_timeout", r.HeartbeatTimeout, "at least")
	}
	if lease := r.LeaderLeaseTimeout; lease > r.HeartbeatTimeout {
		add("raft.leader_lease_timeout", lease, "more", "raft.heartbeat_timeout", r.HeartbeatTimeout, "at most")
	}
	if l.TotalSize < l.ConnectionSize {
		add("limits.total_bytes", l.TotalSize, "less", "limits.connection_bytes", l.ConnectionSize, "at least")
	}
	return problems
}

func (c *Config) checkAddresses() []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.DataDir == "" {
		add("data_dir: is empty (allowed: the path of a directory)")
	}
	if len(c.NodeName) > maxNodeName {
		add("node_name: has %d bytes (allowed: at most %d)", len(c.NodeName), maxNodeName)
	}
	host, err := splitAddress(c.Listen)
	if err != nil {
		add("listen: %w", err)
	}
	if c.Advertise != "" {
		if _, err := splitAddress(c.Advertise); err != nil {
			add("advertise: %w", err)
		}
	}
	for _, a := range c.Join {
		if _, err := splitAddress(a); err != nil {
			add("join: %w", err)
		}
	}
	if c.Bootstrap && len(c.Join) > 0 {
		add("bootstrap and join exclude each other: found a new cluster or join one")
	}
	if c.BootstrapTokenFile != "" && len(c.Join) > 0 {
		add("bootstrap_token_file and join exclude each other: a node that joins shows the cluster a token of its own, by token_file")
	}
	if err != nil {
		return problems
	}
	if unspecified(c.AdvertiseAddress()) {
		add("advertise: %s is no address that others can reach (allowed: a HOST:PORT of this machine)", c.AdvertiseAddress())
	}
	if isLoopback(host) {
		return problems
	}
	if !c.Bootstrap && len(c.Join) == 0 {
		add("listen: %s is not a loopback address, so say --bootstrap to found a cluster or --join to join one", c.Listen)
	}
	if !c.Insecure && !c.HasToken() {
		add("listen: %s can be reached by others and nothing checks who connects: use a loopback address, give a token "+
			"by --bootstrap-token-file or --token-file, or say --insecure on a network you trust", c.Listen)
	}
	return problems
}

const maxNodeName = 128

// Exposed reports whether others than this machine can reach the listen address.
func (c *Config) Exposed() bool {
	host, err := splitAddress(c.Listen)
	return err != nil || !isLoopback(host)
}

// splitAddress checks HOST:PORT and returns the host.
func splitAddress(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not HOST:PORT", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("%q has no port from 1 to 65535", address)
	}
	return host, nil
}

// isLoopback reports whether only this machine can reach the host. A name other than localhost may mean anything.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// unspecified reports whether the address means every interface of this machine, which others cannot dial.
func unspecified(address string) bool {
	host, err := splitAddress(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "" || ip != nil && ip.IsUnspecified())
}
