package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// submission holds the flags of task submit.
type submission struct {
	payload     string
	payloadFile string
	queue       string
	priority    uint8
	in          time.Duration
	at          string
	attempts
	timeout     time.Duration
	retention   time.Duration
	id          string
	dependsOn   []string
	onFailure   string
	uniqueKey   string
	uniqueScope string
	uniqueTTL   time.Duration
	onConflict  string
	expiresIn   time.Duration
	expiresAt   string
	headers     []string
	wait        bool
	waitTimeout time.Duration
}

func (a *app) submitCommand() *cobra.Command {
	s := &submission{}
	cmd := &cobra.Command{
		Use: "submit TYPE", Short: "Submit one task and print its id", Args: s.check,
		RunE: func(cmd *cobra.Command, args []string) error { return a.submitOne(cmd, s, args[0]) },
	}
	s.addFlags(cmd.Flags())
	return cmd
}

// check refuses arguments and flags that exclude each other.
func (s *submission) check(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("task submit wants one TYPE; task submit-many submits a file of tasks")
	}
	var given []string
	for _, name := range [...]string{"payload", "payload-file", "in", "at", "unique-key", "expires-in", "expires-at"} {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	switch {
	case slices.Contains(given, "--payload") && slices.Contains(given, "--payload-file"):
		return errors.New("--payload and --payload-file exclude each other")
	case slices.Contains(given, "--in") && slices.Contains(given, "--at"):
		return errors.New("--in and --at exclude each other")
	case slices.Contains(given, "--expires-in") && slices.Contains(given, "--expires-at"):
		return errors.New("--expires-in and --expires-at exclude each other")
	case slices.Contains(given, "--unique-key") && s.uniqueKey == "":
		return errors.New("--unique-key is empty")
	case cmd.Flags().Changed("wait-timeout") && !s.wait:
		return errors.New("--wait-timeout is for --wait only")
	case s.waitTimeout < 0:
		return fmt.Errorf("--wait-timeout %s is negative", s.waitTimeout)
	}
	return nil
}

// addContentFlags adds the flags of what every task has, submitted once or by a schedule.
func (s *submission) addContentFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.payload, "payload", "", "payload as text")
	flags.StringVar(&s.payloadFile, "payload-file", "", "file that holds the payload; - for standard input")
	flags.StringVar(&s.queue, "queue", "", "queue; "+task.DefaultQueue+" if not set")
	flags.Uint8Var(&s.priority, "priority", uint8(task.DefaultPriority), "0 to 255, higher is more urgent")
	s.attempts.addFlags(flags)
	flags.DurationVar(&s.timeout, "timeout", 0, "longest run of one attempt of the task, in whole seconds; 0 for none\n(this command itself is not limited by it)")
	flags.DurationVar(&s.retention, "retention", 0, "kept for so long after its end; 0 for what is set for its type")
	flags.StringArrayVar(&s.headers, "header", nil, "`NAME=VALUE` that travels with the task; as often as wanted")
	flags.StringVar(&s.uniqueKey, "unique-key", "", "key that at most one task of the queue and type holds")
	flags.StringVar(&s.uniqueScope, "unique-scope", "", "how long it is held: until_done (default), pending or ttl")
	flags.DurationVar(&s.uniqueTTL, "unique-ttl", 0, "hold the key for this long from the submit, whatever becomes of the task")
	flags.StringVar(&s.onConflict, "on-conflict", "", "if another task holds the key: return_existing (default), reject,\nreplace or debounce")
	flags.DurationVar(&s.expiresIn, "expires-in", 0, "dead letter if not started within this time")
}

func (s *submission) addFlags(flags *pflag.FlagSet) {
	s.addContentFlags(flags)
	flags.DurationVar(&s.in, "in", 0, "not before this much time has passed")
	flags.StringVar(&s.at, "at", "", "not before this moment, such as 2030-01-02T15:04:05Z")
	flags.StringVar(&s.id, "id", "", "id of the task, a UUID of version 7; a fresh one if not set")
	flags.StringSliceVar(&s.dependsOn, "depends-on", nil, "ids of tasks that have to complete first")
	flags.StringVar(&s.onFailure, "on-dependency-failure", "", "if one of them ends otherwise: cancel (default), ignore or block")
	flags.StringVar(&s.expiresAt, "expires-at", "", "dead letter if not started by this moment")
	flags.BoolVar(&s.wait, "wait", false, "wait until the task has ended, and show it; exit code 8 if it failed")
	flags.DurationVar(&s.waitTimeout, "wait-timeout", 0, "with --wait, how long at most; 0 for no limit")
}

// spec makes the task of the command line. Only flags that were given count as sent.
func (a *app) spec(flags *pflag.FlagSet, s *submission, typ string) (task.Spec, error) {
	spec := task.Spec{ID: task.NewID(), Type: typ, Queue: s.queue, Delay: s.in, ExpiresIn: s.expiresIn, Retention: s.retention}
	var err error
	if s.id != "" {
		if spec.ID, err = task.ParseID(s.id); err != nil {
			return spec, err
		}
	}
	if spec.Dependencies, err = parseIDs(s.dependsOn); err != nil {
		return spec, err
	}
	if flags.Changed("priority") {
		priority := task.Priority(s.priority)
		spec.Priority = &priority
	}
	if spec.OnDependencyFailure, err = task.ParsePolicy(s.onFailure); err != nil {
		return spec, err
	}
	if err := s.attempts.set(flags, &spec); err != nil {
		return spec, err
	}
	if s.timeout < 0 || s.timeout%time.Second != 0 {
		return spec, &usageError{fmt.Errorf("--timeout %s is not a whole number of seconds from 0 on", s.timeout)}
	}
	spec.TimeoutSeconds = uint64(s.timeout / time.Second)
	if spec.ScheduledAt, err = parseMoment("at", s.at); err != nil {
		return spec, err
	}
	if spec.ExpiresAt, err = parseMoment("expires-at", s.expiresAt); err != nil {
		return spec, err
	}
	for _, header := range s.headers {
		name, value, ok := strings.Cut(header, "=")
		if !ok || name == "" {
			return spec, &usageError{fmt.Errorf("--header %q is not NAME=VALUE", header)}
		}
		spec.Headers = append(spec.Headers, task.Header{Name: name, Value: value})
	}
	if err := s.unique(&spec); err != nil {
		return spec, err
	}
	if spec.Payload, err = a.payload(s); err != nil {
		return spec, err
	}
	return spec, spec.Validate()
}

// unique reads the flags of the unique key. A time without a scope means the scope ttl.
func (s *submission) unique(spec *task.Spec) (err error) {
	spec.UniqueKey, spec.UniqueTTL = s.uniqueKey, s.uniqueTTL
	if spec.UniqueScope, err = task.ParseUniqueScope(s.uniqueScope); err != nil {
		return err
	}
	if s.uniqueTTL != 0 && s.uniqueScope == "" {
		spec.UniqueScope = task.UniqueTTL
	}
	spec.OnConflict, err = task.ParseConflictPolicy(s.onConflict)
	return err
}

// payload reads what is to be sent, and no more of it than could be.
func (a *app) payload(s *submission) ([]byte, error) {
	var source io.Reader
	switch s.payloadFile {
	case "":
		return []byte(s.payload), nil
	case "-":
		source = a.in
	default:
		f, err := os.Open(s.payloadFile)
		if err != nil {
			return nil, fileError(fmt.Errorf("--payload-file: %w", err))
		}
		defer f.Close()
		source = f
	}
	payload, err := io.ReadAll(io.LimitReader(source, task.MaxPayload+1))
	if err != nil {
		return nil, fileError(fmt.Errorf("read payload: %w", err))
	}
	return payload, nil
}

func (a *app) submitOne(cmd *cobra.Command, s *submission, typ string) error {
	spec, err := a.spec(cmd.Flags(), s, typ)
	if err != nil {
		return err
	}
	id := spec.ID
	err = a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
		receipt, err := c.SubmitSpec(ctx, spec)
		if id = receipt.ID; err != nil || s.wait {
			return err
		}
		return a.print(receiptForm(receipt), func(w io.Writer) { row(w, receipt.ID) })
	})
	if err != nil {
		return fmt.Errorf("submit task %s: %w", spec.ID, err)
	}
	if !s.wait {
		return nil
	}
	return a.do(cmd, s.waitTimeout, func(ctx context.Context, c *client.Client) error {
		return a.waitFor(ctx, c, []task.ID{id})
	})
}
