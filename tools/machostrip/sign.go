package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
)

// The signature of a linker, <kern/cs_blobs.h>, all numbers in big-endian: a SuperBlob with
// one part, the CodeDirectory, which has a hash of each page of the file before it.
const (
	superBlob     = 0xfade0cc0
	codeDirectory = 0xfade0c02
	superHeader   = 12 + 8 // of the SuperBlob and its only index
	hashSHA256    = 2
)

// Where the CodeDirectory has its numbers.
const (
	directoryLength = 4
	directoryHashes = 16 // where the hashes begin
	directoryPages  = 28 // how many there are
	directoryLimit  = 32 // bytes that are hashed
	directoryHash   = 36 // one byte each: size of a hash, kind of hash, platform, page as a power of two
	directoryHeader = 44
)

// signatureSize is how long the signature of a file of limit bytes is that says otherwise
// what signed says. It fails where signed is more than the signature of a linker.
func signatureSize(signed []byte, limit int) (int, error) {
	big := binary.BigEndian
	if len(signed) < superHeader+directoryHeader || big.Uint32(signed) != superBlob || big.Uint32(signed[8:]) != 1 ||
		big.Uint32(signed[16:]) != superHeader || big.Uint32(signed[superHeader:]) != codeDirectory {
		return 0, errors.New("the program is signed by more than its linker")
	}
	directory := signed[superHeader:]
	if directory[directoryHash] != sha256.Size || directory[directoryHash+1] != hashSHA256 {
		return 0, errors.New("the program is signed with another hash than SHA-256")
	}
	return superHeader + int(big.Uint32(directory[directoryHashes:])) + pages(directory, limit)*sha256.Size, nil
}

// pages is the number of pages of a file, the last of which may be short.
func pages(directory []byte, limit int) int {
	size := pageSize(directory)
	return (limit + size - 1) / size
}

func pageSize(directory []byte) int { return 1 << directory[directoryHash+3] }

// sign returns code with a signature behind it, where signed is that of the file as it was.
// signatureSize has found nothing wrong with it.
func sign(code, signed []byte) []byte {
	big := binary.BigEndian
	hashes := superHeader + int(big.Uint32(signed[superHeader+directoryHashes:]))
	head := bytes.Clone(signed[:hashes])
	directory := head[superHeader:]
	size := hashes + pages(directory, len(code))*sha256.Size
	big.PutUint32(head[4:], uint32(size))
	big.PutUint32(directory[directoryLength:], uint32(size-superHeader))
	big.PutUint32(directory[directoryPages:], uint32(pages(directory, len(code))))
	big.PutUint32(directory[directoryLimit:], uint32(len(code)))

	out := slices.Concat(code, head)
	for page := range slices.Chunk(code, pageSize(directory)) {
		sum := sha256.Sum256(page)
		out = append(out, sum[:]...)
	}
	return out
}
