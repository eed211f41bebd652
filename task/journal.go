package task

// JournalEntry is a change that a node remembers for those who listen.
type JournalEntry struct {
	Change
	Position string // with which a listener goes on after it, at any node
}
