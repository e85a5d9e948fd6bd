// Package power cuts the power. Its test records what both programs write, sync, rename
// and say to the outside during a short busy run, then builds folders as a disk could
// hold them had the power been cut at some instant: of what no sync had reached by then,
// any part may be there, in any order, torn at a sector of 512 bytes; a file's name may
// be missing until its folder was synced. On each such folder the program is started,
// and must know everything that it had acknowledged before that instant.
//
// It has no code of its own, and runs on Linux, where strace records. It knows nothing
// of a disk that lies about syncing.
//
//	go test ./torture/power                            200 images
//	go test ./torture/power -images 2400 -timeout 1h   the long form
//	go test ./torture/power -run Broken -broken -timeout 1h
//
// The last takes out one wait for the disk at a time, which must be noticed.
package power
