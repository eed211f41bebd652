package tidy

// module is the path that our own imports begin with.
const module = "github.com/haiku-queue/haiku/"

// The caps of file and function length, in lines. Generated files are exempt; functions of tests are too.
const (
	maxFile     = 400
	maxTestFile = 600
	maxFunction = 70
)

// mayImport lists for each package of ours the other packages of ours that it may import: arrows point downwards only.
// A package that is missing here is refused, so that a new one gets its place on purpose. Tests may import any.
var mayImport = map[string][]string{
	"task":                  {},
	"member":                {"task"},
	"cron":                  {"task"},
	"internal/pb/wirepb":    {},
	"internal/pb/recordpb":  {},
	"internal/pb/commandpb": {},
	"wire":                  {"task", "member", "internal/pb/wirepb"},
	"snapshot":              {"task", "member"},
	"store":                 {"task", "snapshot", "internal/pb/recordpb"},
	"fsm":                   {"task", "member", "store", "internal/pb/commandpb"},
	"metrics":               {"task", "member", "store"},
	"client":                {"task", "member", "wire", "internal/trace", "internal/pb/wirepb"},
	"worker":                {"task", "member", "wire", "client", "internal/trace"},
	"transport":             {"task", "member", "wire", "internal/trace", "internal/pb/wirepb"},
	"web":                   {"task", "member", "wire", "client", "internal/trace"},
	"haikutest":             {"task", "member", "cron", "client", "transport"},
	"cluster":               {"task", "member", "cron", "snapshot", "store", "fsm", "internal/trace"},
	"config":                {},
	"cmd/haiku":             {"task", "member", "client", "worker", "config", "snapshot", "internal/progress", "internal/bench", "internal/localnodes", "internal/buildinfo", "internal/tokenfile"},
	"cmd/haikud":            {"task", "member", "client", "transport", "metrics", "web", "web/ui", "cluster", "fsm", "store", "wire", "config", "internal/otlp", "internal/trace", "internal/progress", "internal/buildinfo", "internal/tokenfile"},
	"web/ui":                {},
	"examples/mail":         {"task", "client", "worker"},
	"examples/graph":        {"task", "client", "worker"},
	"scripts/run":           {"task", "client", "internal/localnodes"},
	"scripts/storebench":    {"task", "store"},
	"internal/bench":        {"task", "member", "client", "internal/localnodes", "internal/buildinfo"},
	"internal/localnodes":   {"member", "client"},
	"internal/buildinfo":    {},
	"internal/trace":        {"task"},
	"internal/otlp":         {"internal/trace"},
	"internal/damage":       {},
	"internal/progress":     {},
	"internal/tokenfile":    {"member"},
	"internal/fakenode":     {"task", "member", "wire", "internal/pb/wirepb"},
	"internal/outage":       {}, // tests only
	"internal/plant":        {"internal/pb/recordpb"},
	"internal/tidy":         {},
}

// soleHome names the only packages that may import a library (a path or the beginning of one). The rule holds for
// tests too.
var soleHome = map[string][]string{
	"github.com/linxGnu/grocksdb":   {"store", "internal/plant"}, // the second for tests
	"github.com/hashicorp/raft":     {"cluster", "fsm"},
	"github.com/hashicorp/raft-wal": {"cluster"},
	"go.etcd.io/bbolt":              {"cluster"},
	"github.com/spf13/viper":        {"config"},
	"github.com/google/uuid":        {"task"},
	"github.com/prometheus":         {"metrics"},
	"net/http":                      {"web", "internal/otlp", "internal/outage"}, // the last one for tests
	"go.opentelemetry.io/otel":      {"internal/trace", "internal/otlp", "client", "worker"},
	"go.opentelemetry.io/otel/sdk":  {"client", "worker", "internal/trace"}, // tests only
	"go.opentelemetry.io/proto":     {"internal/otlp", "internal/outage"},   // tests only
	"github.com/danielgtaylor/huma": {"web"},
}

// forbidden lists, for packages whose results must not depend on clock, chance or scheduling, what they may not do
// outside of tests. starters names the files that may start goroutines all the same.
var forbidden = map[string]struct {
	imports  []string
	calls    []string // package.Function
	floats   bool
	starters []string
}{
	"fsm": {
		imports: []string{"math/rand", "math/rand/v2", "crypto/rand", "log/slog", "log", "os"},
		calls: []string{
			"time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker",
			"time.Tick", "time.Sleep", "task.NewID", "task.NewSessionID",
		},
		floats: true,
	},
	"store": {
		imports: []string{"math/rand", "math/rand/v2", "crypto/rand", "log/slog", "log"},
		calls: []string{
			"time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.NewTimer", "time.Tick", "time.Sleep",
			"task.NewID", "task.NewSessionID",
		},
		starters: []string{"store.go"}, // the periodic sync of wal_sync_mode 2
	},
}
