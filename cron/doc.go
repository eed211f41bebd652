// Package cron reads cron expressions and says when they fire. It holds no clock, no goroutine and no state: a Times is a
// value that any number of goroutines may ask.
//
// Expressions come from outside, so everything is bounded: their length, the work of reading one (no list is ever
// spelled out, a field is a set of bits), and the work of finding the next time, which looks ahead 8 years at most. An
// expression that never fires, such as one for February 30, is refused.
//
// What happens when clocks are changed:
//
//   - An expression that fires in each of the 24 hours of the day goes by elapsed time: it fires in each hour that there
//     is, so not in one that is left out in spring, and in both that have the same name in autumn.
//   - Any other names moments of a day, and each of them fires once: one that is left out in spring at the first moment
//     after the gap (several of them fire together, once), one that comes twice in autumn the first time.
//
// Zone data come from the system or, where that has none, from the program. Two nodes may have different ones, so only
// a leader asks this package, and replicates the answer.
package cron
