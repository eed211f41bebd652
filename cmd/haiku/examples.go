package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples are what the help of each command shows; a test holds that there is one of each, and that it is well-formed.
var examples = [...]string{
	`haiku bench lifecycle --local 3`,
	`haiku bench latency --local 3 --rate 200`,
	`haiku bench submit --tasks 10000 --payload-size 1000`,
	`haiku bench work --workers 16`,
	`haiku cluster doctor`,
	`haiku --addr 10.0.0.4:7420 cluster join 10.0.0.1:7420,10.0.0.2:7420 --join-token-file admin-token`,
	`haiku --addr 10.0.0.4:7420 cluster leave`,
	`haiku cluster members -o json`,
	`haiku cluster pause`,
	`haiku cluster remove n3`,
	`haiku cluster resume`,
	`haiku --addr 10.0.0.2:7420 cluster status`,
	`haiku cluster transfer-leader n2`,
	`haiku config sample > haiku.yaml`,
	`haiku config validate haiku.yaml`,
	`haiku cron add nightly "0 3 * * *" report --zone Europe/Berlin --catch-up one`,
	`haiku cron add poll "@every 90s" fetch --payload '{"from": "here"}' --timeout 60s`,
	`haiku cron get nightly`,
	`haiku cron list`,
	`haiku cron next nightly`,
	`haiku cron pause nightly`,
	`haiku cron remove nightly`,
	`haiku cron resume nightly`,
	`haiku cron trigger nightly`,
	`haiku dlq list --queue mail --error timeout`,
	`haiku dlq purge --older-than 168h --yes`,
	`haiku dlq redrive --type send --error timeout --dry-run`,
	`haiku operation cancel 01990a5d-ac96-774b-bcce-b302099a8057`,
	`haiku operation list`,
	`haiku operation wait 01990a5d-ac96-774b-bcce-b302099a8057`,
	`haiku queue aging mail 10s`,
	`haiku queue limit mail --concurrency 20 --rate 100/s --depth 100000`,
	`haiku queue limit mail --type newsletter --rate none`,
	`haiku queue list mail`,
	`haiku queue pause mail --reason "the relay is down"`,
	`haiku queue resume mail`,
	`haiku retention list`,
	`haiku retention set report --completed 36h --dead-letter forever`,
	`haiku retention unset report`,
	`haiku snapshot inspect backup`,
	`haiku snapshot restore backup --data-dir d9`,
	`haiku snapshot save backup`,
	`haiku stats --queue mail`,
	`haiku task cancel 01990a5d-ac96-774b-bcce-b302099a8057`,
	`haiku task cancel --queue mail --type newsletter --yes`,
	`haiku task delete --status completed --older-than 1h --dry-run`,
	`haiku task get 01990a5d-ac96-774b-bcce-b302099a8057`,
	`haiku task get 01990a5d-ac96-774b-bcce-b302099a8057 -o json | jq -r .result | base64 -d`,
	`haiku task list --status failed,dead_letter --type send --order newest`,
	`haiku task list --filter 'queue:mail error:"timed out" older-than:36h'`,
	`haiku task retry 01990a5d-ac96-774b-bcce-b302099a8057`,
	`haiku task submit resize --payload-file photo.json --priority 200 --max-retries 5 --timeout 90s`,
	`haiku task submit report --in 1h --unique-key daily --wait`,
	`haiku task submit-many tasks.ndjson --resume state`,
	`haiku task wait 01990a5d-ac96-774b-bcce-b302099a8057 --timeout 5m`,
	`haiku token create --role worker --queues mail,report --expires 720h --name mailers`,
	`haiku token generate > first-token`,
	`haiku token list`,
	`haiku token revoke 3f9a1c27b65e`,
	`haiku token whoami`,
	`haiku version`,
	`haiku worker drain host1/4242`,
	`haiku worker list`,
	`haiku worker run --type resize --concurrency 4 --exec ./resize.sh`,
}

// addExamples gives each command below cmd the examples that call it.
func addExamples(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		addExamples(c)
	}
	if cmd.HasSubCommands() {
		return
	}
	path := strings.TrimPrefix(cmd.CommandPath(), "haiku ")
	for _, line := range examples {
		if strings.Contains(line+" ", " "+path+" ") {
			cmd.Example += "  " + line + "\n"
		}
	}
	cmd.Example = strings.TrimSuffix(cmd.Example, "\n")
}
