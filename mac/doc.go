// Package mac is the Mac around the relay: the programs that macOS brings along and what they
// say about it. Whatever the relay wants to know or to have done beyond reading chat.db and
// sending through Messages goes through here, as a child process with a deadline.
//
// It refuses private interfaces, shells and Objective-C: each question is one of Apple's own
// programs, called by its absolute path with fixed arguments. What a program says is bounded
// and never repeated in an error or a log as it is, because it may hold names of people and
// files. It decides nothing; that is for relay and cmd/bluerelay.
//
// Tools is a plain value and may be used by several goroutines at once.
package mac
