package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/haiku-queue/haiku/config"
)

var update = flag.Bool("update", false, "rewrite the table in docs/configuration.md")

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "haiku.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func flagSet(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("haikud", pflag.ContinueOnError)
	config.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestNothingSetIsTheDefault(t *testing.T) {
	got, err := config.Load(flagSet(t), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), got); diff != "" {
		t.Error(diff)
	}
	if got.Listen != "127.0.0.1:7420" || got.DataDir != "./haiku-data" || got.Bootstrap || got.Join != nil {
		t.Errorf("without settings a node serves this machine alone, got %+v", got)
	}
}

func TestSampleLoadsAsTheDefault(t *testing.T) {
	got, err := config.Load(nil, nil, writeFile(t, config.Sample()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), got); diff != "" {
		t.Error(diff)
	}
}

func TestSampleSetsEveryKey(t *testing.T) {
	// Other values than the defaults have to come through, or the sample's keys mean nothing.
	changed := strings.NewReplacer("7420", "7999", "heartbeat_timeout: 2s", "heartbeat_timeout: 1900ms", "write_buffer_total: 128MiB", "write_buffer_total: 256MiB",
		"level: info", "level: debug", "join: []", "join: [127.0.0.1:1, 127.0.0.1:2]", "insecure: false", "insecure: true").
		Replace(config.Sample())
	got, err := config.Load(nil, nil, writeFile(t, changed))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Listen, want.Raft.HeartbeatTimeout, want.Log.Level = "127.0.0.1:7999", 1900*time.Millisecond, "debug"
	want.Store.WriteBufferTotal, want.Join, want.Insecure = 256<<20, []string{"127.0.0.1:1", "127.0.0.1:2"}, true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFlagsBeatEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	file := writeFile(t, "data_dir: from-file\nnode_name: from-file\nlisten: 127.0.0.1:1000\nraft:\n  trailing_logs: 1000\n")
	env := []string{"HAIKU_NODE_NAME=from-env", "HAIKU_LISTEN=127.0.0.1:2000", "HAIKU_RAFT_ELECTION_TIMEOUT=3s", "HAIKU_JOIN=127.0.0.1:5, 127.0.0.1:6"}
	got, err := config.Load(flagSet(t, "--listen", "127.0.0.1:3000"), env, file)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.DataDir, want.NodeName, want.Listen = "from-file", "from-env", "127.0.0.1:3000"
	want.Raft.TrailingLogs, want.Raft.ElectionTimeout = 1000, 3*time.Second
	want.Join = []string{"127.0.0.1:5", "127.0.0.1:6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		file string
		env  []string
		args []string
		want []string // parts of the error
	}{
		"unknown key":          {file: "dat_dir: x\n", want: []string{`unknown key "dat_dir"; did you mean data_dir?`}},
		"key without section":  {file: "heartbeat_timeout: 1s\n", want: []string{"did you mean raft.heartbeat_timeout?"}},
		"unknown key, no idea": {file: "zzzzzzzzzzz: x\n", want: []string{`unknown key "zzzzzzzzzzz"`}},
		"not YAML":             {file: "listen: [\n", want: []string{"config file"}},
		"unknown variable":     {env: []string{"HAIKU_DATADIR=x"}, want: []string{"HAIKU_DATADIR; did you mean HAIKU_DATA_DIR?"}},
		"unknown in a section": {env: []string{"HAIKU_RAFT_COLOUR_OF_SKY=x"}, want: []string{"unknown environment variable HAIKU_RAFT_COLOUR_OF_SKY"}},
		"bad duration":         {file: "raft: {heartbeat_timeout: soon}\n", want: []string{"raft.heartbeat_timeout", "not a duration", "100ms to 60s"}},
		"bad size":             {file: "store: {block_cache: much}\n", want: []string{"store.block_cache", "not a size", "8MiB to 1TiB"}},
		"bad bool":             {file: "insecure: perhaps\n", want: []string{"insecure", "true or false"}},
		"bad number":           {env: []string{"HAIKU_RAFT_TRAILING_LOGS=many"}, want: []string{"raft.trailing_logs", "whole number", "64 to"}},
		"list for a text":      {file: "listen: [a, b]\n", want: []string{"listen", "one text"}},
		"bad level":            {env: []string{"HAIKU_LOG_LEVEL=loud"}, want: []string{"log.level", "debug, info, warn, error"}},
		"every problem":        {file: "log: {level: loud}\nraft: {trailing_logs: 1}\nlisten: here\n", want: []string{"log.level", "raft.trailing_logs", "listen"}},
		"election below beat":  {file: "raft: {election_timeout: 1s}\n", want: []string{"raft.election_timeout", "at least"}},
		"lease above beat":     {file: "raft: {leader_lease_timeout: 3s}\n", want: []string{"raft.leader_lease_timeout", "at most"}},
		"total below one":      {file: "limits: {total_bytes: 16MiB}\n", want: []string{"limits.total_bytes", "at least"}},
		"too little memory": {file: "memory_limit: 1GiB\n", want: []string{"memory_limit: 1GiB is less than the 1808MiB", "store.block_cache 256MiB",
			"2 x limits.total_bytes 1GiB", "allowed: 0"}},
		"no WAL":                 {file: "store: {enable_wal: false}\n", want: []string{"store.enable_wal: false is refused", "wal_sync_mode 0"}},
		"fifo":                   {file: "store: {compaction_style: fifo}\n", want: []string{"fifo is refused", "deletes", "level, universal"}},
		"unknown compression":    {file: "store: {compression_type: lzma}\n", want: []string{`"lzma" is not known`, "none, snappy, lz4, zlib, zstd"}},
		"one buffer above all":   {file: "store: {write_buffer_size: 256MiB}\n", want: []string{"store.write_buffer_size", "at most"}},
		"one write buffer":       {file: "store: {max_write_buffer_number: 1}\n", want: []string{"store.max_write_buffer_number", "2 to 64"}},
		"compaction all day":     {file: "store: {periodic_compaction_seconds: 5}\n", want: []string{"store.periodic_compaction_seconds", "at least 60"}},
		"database above the dir": {file: "store: {db_path: ../x}\n", want: []string{"store.db_path", "below data_dir"}},
		"database is the dir":    {file: "store: {db_path: x/..}\n", want: []string{"store.db_path", "below data_dir"}},
		"database is Raft's log": {file: "store: {db_path: groups/0/raft.db}\n", want: []string{"store.db_path", "groups"}},
		"no database":            {file: "store: {db_path: ''}\n", want: []string{"store.db_path", "groups/0/store"}},
		"port 0":                 {args: []string{"--listen=127.0.0.1:0"}, want: []string{"listen", "1 to 65535"}},
		"bootstrap and join":     {args: []string{"--bootstrap", "--join=127.0.0.1:1"}, want: []string{"exclude each other"}},
		"bad join":               {args: []string{"--join=nowhere"}, want: []string{"join", "HOST:PORT"}},
		"exposed":                {args: []string{"--listen=10.0.0.1:7420"}, want: []string{"--bootstrap", "--insecure"}},
		"exposed, founding":      {args: []string{"--listen=10.0.0.1:7420", "--bootstrap"}, want: []string{"--insecure"}},
		"exposed, no token file": {args: []string{"--listen=10.0.0.1:7420", "--join=10.0.0.2:7420"}, want: []string{"--token-file", "--bootstrap-token-file", "--insecure"}},
		"first token, joining":   {args: []string{"--join=10.0.0.2:7420", "--bootstrap-token-file=f"}, want: []string{"bootstrap_token_file", "join", "token_file"}},
		"exposed, insecure only": {args: []string{"--listen=10.0.0.1:7420", "--insecure"}, want: []string{"--bootstrap"}},
		"every interface":        {args: []string{"--listen=:7420", "--bootstrap", "--insecure"}, want: []string{"advertise"}},
		"no data dir":            {args: []string{"--data-dir="}, want: []string{"data_dir"}},
		"collector without URL":  {env: []string{"HAIKU_TRACE_OTLP_ENDPOINT=127.0.0.1:4318"}, want: []string{"trace.otlp_endpoint", "http://127.0.0.1:4318"}},
		"collector for gRPC":     {file: "trace: {otlp_endpoint: 'grpc://c:4317'}\n", want: []string{"trace.otlp_endpoint", "URL"}},
		"collector without host": {file: "trace: {otlp_endpoint: 'http://:4318'}\n", want: []string{"trace.otlp_endpoint", "URL"}},
		"collector with a query": {file: "trace: {otlp_endpoint: 'http://c/?a=b'}\n", want: []string{"trace.otlp_endpoint", "URL"}},
		"more than all traces":   {file: "trace: {sample_ratio: 1.5}\n", want: []string{"trace.sample_ratio: 1.5", "0 to 1"}},
		"less than none":         {file: "trace: {sample_ratio: -0.1}\n", want: []string{"trace.sample_ratio: -0.1", "0 to 1"}},
		"no number of traces":    {file: "trace: {sample_ratio: .nan}\n", want: []string{"trace.sample_ratio", "0 to 1"}},
		"some traces":            {file: "trace: {sample_ratio: some}\n", want: []string{"trace.sample_ratio", "not a number", "0 to 1"}},
		"missing file":           {file: "-", want: []string{"config file"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := ""
			switch test.file {
			case "":
			case "-":
				file = filepath.Join(t.TempDir(), "missing.yaml")
			default:
				file = writeFile(t, test.file)
			}
			_, err := config.Load(flagSet(t, test.args...), test.env, file)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q:\n%v", part, err)
				}
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	tests := map[string]struct {
		args, env []string
	}{
		"exposed, founding":    {args: []string{"--listen=10.0.0.1:7420", "--bootstrap", "--insecure"}},
		"exposed, first token": {args: []string{"--listen=10.0.0.1:7420", "--bootstrap", "--bootstrap-token-file=f"}},
		"exposed, token file":  {args: []string{"--listen=10.0.0.1:7420", "--join=10.0.0.2:7420", "--token-file=f"}},
		"exposed, joining":     {args: []string{"--listen=10.0.0.1:7420", "--join=10.0.0.2:7420", "--insecure"}},
		"every interface":      {args: []string{"--listen=:7420", "--advertise=10.0.0.1:7420", "--bootstrap", "--insecure"}},
		"little memory": {env: []string{"HAIKU_MEMORY_LIMIT=396MiB", "HAIKU_STORE_BLOCK_CACHE=8MiB", "HAIKU_STORE_WRITE_BUFFER_TOTAL=8MiB",
			"HAIKU_STORE_WRITE_BUFFER_SIZE=4MiB", "HAIKU_STORE_RECORD_CACHE=4MiB", "HAIKU_RAFT_LOG_CACHE=8MiB", "HAIKU_LIMITS_CONNECTION_BYTES=16MiB",
			"HAIKU_LIMITS_TOTAL_BYTES=16MiB"}},
		"database elsewhere": {env: []string{"HAIKU_STORE_DB_PATH=/var/lib/haiku-db"}},
		"database below":     {env: []string{"HAIKU_STORE_DB_PATH=fast/db"}},
		"localhost":          {args: []string{"--listen=localhost:7420"}},
		"IPv6 loopback":      {args: []string{"--listen=[::1]:7420"}},
		"foreign variables":  {env: []string{"HAIKU_SERVICE_HOST=10.0.0.1", "HAIKU_PORT_7420_TCP=x", "HAIKU_ADDR=x", "HAIKU_TASK_ID=x", "OTHER=x"}},
		"an empty variable":  {env: []string{"HAIKU_LISTEN="}},
		"a collector":        {env: []string{"HAIKU_TRACE_OTLP_ENDPOINT=https://c.example/otlp/v1/traces", "HAIKU_TRACE_SAMPLE_RATIO=0.25"}},
		"a variable's value": {env: []string{"HAIKU_STORE_BLOCK_CACHE=1GiB", "HAIKU_INSECURE=1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := config.Load(flagSet(t, test.args...), test.env, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMemoryIsShared: what is not RocksDB's is Go's, whether the limit is given or the sum of its parts.
func TestMemoryIsShared(t *testing.T) {
	c := config.Default()
	if all, inGo := c.Memory(), c.GoMemory(); all != 1808<<20 || inGo != 1248<<20 {
		t.Errorf("by default %v, %v of it in Go", all, inGo)
	}
	c.MemoryLimit, c.Store.BlockCache = 4<<30, 1<<30
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if all, inGo := c.Memory(), c.GoMemory(); all != 4<<30 || inGo != 4<<30-(1<<30+304<<20) {
		t.Errorf("with a limit %v, %v of it in Go", all, inGo)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]config.Size{"0": 0, "1": 1, "64KiB": 64 << 10, "3 MiB": 3 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40} {
		if got, err := config.ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "1.5GiB", "GiB", "1XB", "9999999999TiB"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
	for _, size := range []config.Size{0, 1, 1023, 64 << 10, 5 << 20, 3 << 30} {
		if got, err := config.ParseSize(size.String()); err != nil || got != size {
			t.Errorf("%d is written as %q and read as %d, %v", size, size, got, err)
		}
	}
}

func TestEverySettingHasAMeaning(t *testing.T) {
	for _, row := range strings.Split(strings.TrimSpace(config.Reference()), "\n")[2:] {
		if cells := strings.Split(row, "|"); len(cells) != 6 || strings.TrimSpace(cells[4]) == "" {
			t.Errorf("no meaning: %s", row)
		}
	}
}

// TestReference holds the table in docs/configuration.md against the struct; run with -update to rewrite it.
func TestReference(t *testing.T) {
	const begin, end = "<!-- settings: begin -->\n", "<!-- settings: end -->"
	path := filepath.Join("..", "docs", "configuration.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks %q and %q", path, begin, end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+config.Reference()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(config.Reference(), table); diff != "" {
		t.Errorf("%s is out of date; run go test ./config -update\n%s", path, diff)
	}
}
