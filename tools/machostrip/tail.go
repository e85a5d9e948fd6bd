package main

import (
	"bytes"
	"debug/macho"
	"errors"
	"fmt"
)

// Load commands of <mach-o/loader.h>, and where they have their numbers.
const (
	loadSymtab   = 0x2
	symbolOffset = 8
	symbolCount  = 12
	nameOffset   = 16
	nameSize     = 20

	loadDysymtab   = 0xb
	localFirst     = 8
	localCount     = 12
	definedFirst   = 16
	undefinedFirst = 24
	indirectOffset = 56
	indirectCount  = 60

	loadSegment   = 0x19
	segmentMemory = 32
	segmentOffset = 40
	segmentFile   = 48

	loadCodeSignature = 0x1d
	dataOffset        = 8
	dataSize          = 12
)

const (
	headerSize     = 32 // struct mach_header_64
	symbolSize     = 16 // struct nlist_64, whose first number is the place of its name
	signatureAlign = 16 // where codesign lets a signature begin

	// Entries of the indirect table that are no index.
	indirectLocal    = 0x80000000
	indirectAbsolute = 0x40000000
)

// tail are the load commands that describe the end of the file, as parts of the file: the
// symbols, the indirect table, the names and the signature. zig puts them in this order, the
// last of all, and local symbols before the others.
type tail struct {
	symtab, dysymtab, linkedit []byte
	signature                  []byte // nil where the program is not signed
}

// findTail fails where the parts are not in the order that tail says.
func findTail(program []byte) (tail, error) {
	var t tail
	file, err := macho.NewFile(bytes.NewReader(program))
	if err != nil {
		return t, fmt.Errorf("not a program for macOS: %w", err)
	}
	offset := headerSize
	for _, load := range file.Loads {
		raw := program[offset : offset+len(load.Raw())]
		offset += len(raw)
		switch at(raw, 0) {
		case loadSymtab:
			t.symtab = raw
		case loadDysymtab:
			t.dysymtab = raw
		case loadCodeSignature:
			t.signature = raw
		case loadSegment:
			if segment, ok := load.(*macho.Segment); ok && segment.Name == "__LINKEDIT" {
				t.linkedit = raw
			}
		}
	}
	if t.symtab == nil || t.dysymtab == nil || t.linkedit == nil {
		return t, errors.New("the program has no table of symbols")
	}

	symbols, indirect, names := at(t.symtab, symbolOffset), at(t.dysymtab, indirectOffset), at(t.symtab, nameOffset)
	end := names + at(t.symtab, nameSize)
	inOrder := symbols+symbolSize*at(t.symtab, symbolCount) <= indirect && indirect+4*at(t.dysymtab, indirectCount) <= names
	if t.signature != nil {
		inOrder = inOrder && end <= at(t.signature, dataOffset)
		end = at(t.signature, dataOffset) + at(t.signature, dataSize)
	}
	if !inOrder || end != len(program) || at(t.dysymtab, localFirst) != 0 {
		return t, errors.New("the parts of the file are in another order than is known here")
	}
	return t, nil
}

// at reads a 32-bit number of a load command or a table.
func at(raw []byte, offset int) int { return int(order.Uint32(raw[offset:])) }

func put(raw []byte, offset, value int) { order.PutUint32(raw[offset:], uint32(value)) }
