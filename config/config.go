package config

import "time"

// Config is everything that can be set on a node. Tags: key is the name in the file, flag the command-line flag, help
// says what it is for, min and max bound it (inclusive), oneof lists what is allowed.
type Config struct {
	DataDir   string   `key:"data_dir" flag:"data-dir" help:"directory of everything this node keeps; made if missing"`
	Listen    string   `key:"listen" flag:"listen" help:"HOST:PORT that serves clients and the other nodes"`
	Advertise string   `key:"advertise" flag:"advertise" help:"HOST:PORT under which others reach this node; empty means listen"`
	Bootstrap bool     `key:"bootstrap" flag:"bootstrap" help:"found a new cluster; nothing happens if the directory belongs to one"`
	Join      []string `key:"join" flag:"join" help:"HOST:PORT of nodes whose cluster to join; nothing happens if the directory belongs to it"`
	NodeName  string   `key:"node_name" flag:"node-name" help:"name shown to people; empty means the host's name"`
	Insecure  bool     `key:"insecure" flag:"insecure" help:"allow a listen address that others can reach although nothing checks who connects"`

	DedupWindow time.Duration `key:"dedup_window" min:"1m" max:"720h" help:"how long the id of a removed task is remembered"`

	Log    Log    `key:"log"`
	Raft   Raft   `key:"raft"`
	Store  Store  `key:"store"`
	Limits Limits `key:"limits"`
}

// Log says what is logged and how; logs go to standard error.
type Log struct {
	Level  string `key:"level" oneof:"debug info warn error" help:"least important level that is logged"`
	Format string `key:"format" oneof:"text json" help:"text for people, json for machines"`
}

// Raft tunes replication. All nodes of a cluster should have the same values.
type Raft struct {
	HeartbeatTimeout   time.Duration `key:"heartbeat_timeout" min:"100ms" max:"60s" help:"without word from the leader for this long, a follower stands for election"`
	ElectionTimeout    time.Duration `key:"election_timeout" min:"100ms" max:"60s" help:"how long a candidate waits for votes; at least heartbeat_timeout"`
	LeaderLeaseTimeout time.Duration `key:"leader_lease_timeout" min:"50ms" max:"60s" help:"a leader without contact to a majority for this long steps down; at most heartbeat_timeout"`
	TrailingLogs       int           `key:"trailing_logs" min:"64" max:"10000000" help:"most log entries kept after a snapshot, for followers that lag"`
}

// Default returns the settings of a node that serves this machine alone.
func Default() Config {
	return Config{
		DataDir:     "./haiku-data",
		Listen:      "127.0.0.1:7420",
		DedupWindow: 24 * time.Hour,
		Log:         Log{Level: "info", Format: "text"},
		Raft: Raft{
			HeartbeatTimeout:   2 * time.Second,
			ElectionTimeout:    2 * time.Second,
			LeaderLeaseTimeout: 1500 * time.Millisecond,
			TrailingLogs:       50_000,
		},
		Store:  defaultStore(),
		Limits: defaultLimits(),
	}
}

// AdvertiseAddress is the address others use: Advertise, or Listen if that is empty.
func (c *Config) AdvertiseAddress() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	return c.Listen
}
