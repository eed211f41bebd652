package config

import "time"

// Config is everything that can be set on a node. Tags: key is the name in the file, flag the command-line flag, min
// and max bound it (inclusive), oneof lists what is allowed. What each is for stands in meanings.
type Config struct {
	DataDir   string   `key:"data_dir" flag:"data-dir"`
	Listen    string   `key:"listen" flag:"listen"`
	Advertise string   `key:"advertise" flag:"advertise"`
	Bootstrap bool     `key:"bootstrap" flag:"bootstrap"`
	Join      []string `key:"join" flag:"join"`
	NodeName  string   `key:"node_name" flag:"node-name"`
	Insecure  bool     `key:"insecure" flag:"insecure"`

	BootstrapTokenFile string `key:"bootstrap_token_file" flag:"bootstrap-token-file"`
	TokenFile          string `key:"token_file" flag:"token-file"`
	Token              string `key:"token"`

	DedupWindow  time.Duration `key:"dedup_window" min:"1m" max:"720h"`
	SessionGrace time.Duration `key:"session_grace" min:"0s" max:"10m"`

	MemoryLimit Size `key:"memory_limit" min:"0" max:"16TiB"`

	HTTP    HTTP    `key:"http"`
	Metrics Metrics `key:"metrics"`
	Disk    Disk    `key:"disk"`
	Log     Log     `key:"log"`
	Trace   Trace   `key:"trace"`
	Raft    Raft    `key:"raft"`
	Store   Store   `key:"store"`
	Limits  Limits  `key:"limits"`
}

// HTTP says where and how a node serves HTTP: REST, events, health and the dashboard.
type HTTP struct {
	Listen      string        `key:"listen" flag:"http-listen"`
	BasePath    string        `key:"base_path" flag:"http-base-path"`
	CORSOrigins []string      `key:"cors_origins"`
	Connections int           `key:"connections" min:"1" max:"1000000"`
	Requests    int           `key:"requests" min:"1" max:"1000000"`
	BodyTimeout time.Duration `key:"body_timeout" min:"1s" max:"10m"`
}

// Metrics bounds what /metrics tells.
type Metrics struct {
	Queues int `key:"queues" min:"0" max:"10000"`
}

// Disk bounds what a node takes on when its disk fills up.
type Disk struct {
	RefuseBelow Size `key:"refuse_below" min:"0" max:"1024TiB"`
}

// Log says what is logged and how; logs go to standard error.
type Log struct {
	Level  string `key:"level" oneof:"debug info warn error"`
	Format string `key:"format" oneof:"text json"`
}

// Trace says where the node's spans go, and how many.
type Trace struct {
	OTLPEndpoint string  `key:"otlp_endpoint"`
	SampleRatio  float64 `key:"sample_ratio" min:"0" max:"1"`
}

// Raft tunes replication. All nodes of a cluster should have the same values, but for LogStore, which is the node's own.
type Raft struct {
	LogStore           string        `key:"log_store" oneof:"boltdb wal"`
	HeartbeatTimeout   time.Duration `key:"heartbeat_timeout" min:"100ms" max:"60s"`
	ElectionTimeout    time.Duration `key:"election_timeout" min:"100ms" max:"60s"`
	LeaderLeaseTimeout time.Duration `key:"leader_lease_timeout" min:"50ms" max:"60s"`
	TrailingLogs       int           `key:"trailing_logs" min:"64" max:"10000000"`
	SnapshotThreshold  int           `key:"snapshot_threshold" min:"64" max:"10000000"`
	SnapshotInterval   time.Duration `key:"snapshot_interval" min:"1s" max:"1h"`
	StorageTimeout     time.Duration `key:"storage_timeout" min:"1s" max:"10m"`
	LogCache           Size          `key:"log_cache" min:"1MiB" max:"64GiB"`
}

// Default returns the settings of a node that serves this machine alone.
func Default() Config {
	return Config{
		DataDir:      "./haiku-data",
		Listen:       "127.0.0.1:7420",
		DedupWindow:  24 * time.Hour,
		SessionGrace: 5 * time.Second,
		HTTP:         HTTP{Connections: 1000, Requests: 256, BodyTimeout: time.Minute},
		Metrics:      Metrics{Queues: 100},
		Disk:         Disk{RefuseBelow: 1 << 30},
		Log:          Log{Level: "info", Format: "text"},
		Trace:        Trace{SampleRatio: 1},
		Raft: Raft{
			LogStore:           "wal",
			HeartbeatTimeout:   2 * time.Second,
			ElectionTimeout:    2 * time.Second,
			LeaderLeaseTimeout: 1500 * time.Millisecond,
			TrailingLogs:       50_000,
			SnapshotThreshold:  20_000,
			SnapshotInterval:   30 * time.Second,
			StorageTimeout:     30 * time.Second,
			LogCache:           32 << 20,
		},
		Store:  defaultStore(),
		Limits: defaultLimits(),
	}
}

// HasToken reports whether a token was given: one to make, or one that a cluster knows.
func (c *Config) HasToken() bool {
	return c.BootstrapTokenFile != "" || c.TokenFile != "" || c.Token != ""
}

// RequireToken reports whether nobody may be served as long as the cluster has no token.
func (c *Config) RequireToken() bool {
	return c.BootstrapTokenFile != "" || !c.Insecure && (c.Exposed() || c.HTTPExposed())
}

// AdvertiseAddress is the address others use: Advertise, or Listen if that is empty.
func (c *Config) AdvertiseAddress() string {
	if c.Advertise != "" {
		return c.Advertise
	}
	return c.Listen
}
