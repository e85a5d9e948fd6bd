package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

var order = binary.LittleEndian

// strip returns the program without its local symbols. It fails where the end of the file is
// not as tail says.
func strip(program []byte) ([]byte, error) {
	out := bytes.Clone(program)
	t, err := findTail(out)
	if err != nil {
		return nil, err
	}
	locals := at(t.dysymtab, localCount)
	symbols, names, err := t.globals(program, locals)
	if err != nil {
		return nil, err
	}
	indirect := t.indirect(program, locals)
	var signed []byte
	if t.signature != nil {
		begin := at(t.signature, dataOffset)
		signed = program[begin : begin+at(t.signature, dataSize)]
	}

	begin := at(t.symtab, symbolOffset)
	out = append(append(append(out[:begin], symbols...), indirect...), names...)
	t.place(begin, len(symbols), len(indirect), len(names))
	if signed == nil {
		t.resize(len(out))
		return out, nil
	}
	out = append(out, make([]byte, -len(out)&(signatureAlign-1))...)
	size, err := signatureSize(signed, len(out))
	if err != nil {
		return nil, err
	}
	put(t.signature, dataOffset, len(out))
	put(t.signature, dataSize, size)
	t.resize(len(out) + size)
	return sign(out, signed), nil
}

// globals returns the symbols that stay, and their names.
func (t tail) globals(program []byte, locals int) (symbols, names []byte, err error) {
	begin, end := at(t.symtab, symbolOffset), at(t.symtab, symbolCount)
	symbols = bytes.Clone(program[begin+symbolSize*locals : begin+symbolSize*end])
	old := at(t.symtab, nameOffset)
	texts := program[old : old+at(t.symtab, nameSize)]
	names = []byte{0} // place 0 means no name
	for symbol := range slices.Chunk(symbols, symbolSize) {
		place := at(symbol, 0)
		if place > len(texts) {
			return nil, nil, errors.New("a symbol's name is outside of the table")
		}
		text, _, ok := bytes.Cut(texts[place:], []byte{0})
		if !ok {
			return nil, nil, errors.New("a symbol's name has no end")
		}
		put(symbol, 0, len(names))
		names = append(append(names, text...), 0)
	}
	return symbols, names, nil
}

// indirect returns the table by which the program's stubs find their symbols.
func (t tail) indirect(program []byte, locals int) []byte {
	begin := at(t.dysymtab, indirectOffset)
	table := bytes.Clone(program[begin : begin+4*at(t.dysymtab, indirectCount)])
	for entry := range slices.Chunk(table, 4) {
		index := at(entry, 0)
		switch {
		case index&(indirectLocal|indirectAbsolute) != 0:
		case index < locals:
			put(entry, 0, indirectLocal) // its address is there already
		default:
			put(entry, 0, index-locals)
		}
	}
	return table
}

// place writes down where the parts are now, which begin at that offset one behind another.
func (t tail) place(begin, symbols, indirect, names int) {
	locals := at(t.dysymtab, localCount)
	put(t.symtab, symbolCount, symbols/symbolSize)
	put(t.symtab, nameOffset, begin+symbols+indirect)
	put(t.symtab, nameSize, names)
	put(t.dysymtab, localCount, 0)
	put(t.dysymtab, definedFirst, at(t.dysymtab, definedFirst)-locals)
	put(t.dysymtab, undefinedFirst, at(t.dysymtab, undefinedFirst)-locals)
	put(t.dysymtab, indirectOffset, begin+symbols)
}

// resize writes down where the file ends.
func (t tail) resize(end int) {
	size := uint64(end) - order.Uint64(t.linkedit[segmentOffset:])
	order.PutUint64(t.linkedit[segmentMemory:], size)
	order.PutUint64(t.linkedit[segmentFile:], size)
}
