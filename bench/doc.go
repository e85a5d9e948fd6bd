// Package bench measures how fast chat.db is read, beside the least that any reader
// must do on the same machine in the same run. It has no code of its own: see
// docs/benchmarks.md for the commands. It runs on Linux, where no Messages is.
package bench
