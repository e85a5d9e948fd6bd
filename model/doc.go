// Package model is the protocol of a send, small enough to be explored whole: what the
// cloud, two Macs' relays, their shims and Messages do to one message or to two equal
// ones, as transitions between states, with everything that can go wrong between them.
// It has no code of its own; its tests walk every state that can be reached.
//
// What is in it: the cloud's state of a message with its install and attempt; each
// relay's journal, outbox and daemon; lock, marker and result of each run; osascript;
// Apple events that Messages has not acted on yet; rows of chat.db, which both Macs see,
// as Macs of one Apple Account do. Every order and every withdrawal that was ever
// written may arrive at any later time, again, or never. A daemon, a shim or an
// osascript may be killed between any two steps, a connection cut, a journal deleted or
// replaced by an older copy of itself, a Mac replaced by another.
//
// What must hold in every state: no message has two effects; sent means that there is a
// row; failed, canceled and expired mean that there is none, or one that Messages marks as
// failed; while a message waits for a Mac it has no effect; unknown is said only where
// something was injected that nobody can see through; and from every state an end can be
// reached without further faults.
//
// A transition is one durable step, or one instant at which something leaves a process,
// and has the name of its fault point: a test holds the two lists together. Where the
// model knows less than the code (times, clocks, what a text says) it lets anything
// happen. The model assumes of Messages that an Apple event is acted on at most once and
// that a row which failed because its recipient is not on iMessage no longer changes once
// the relay has looked at it before the attempt by SMS.
package model
