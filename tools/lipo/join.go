package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

// align is where each program may begin, as a power of two: the page of an arm64 Mac, 16 KiB,
// which holds for the others as well.
const align = 14

// join returns the universal file: the header of <mach-o/fat.h>, in big-endian, and the
// programs as they are, in the order of their names. It fails where one is no program for
// macOS, or two are for the same processor.
func join(names []string) ([]byte, error) {
	var header []macho.FatArchHeader
	var programs [][]byte
	end := uint32(8 + 20*len(names))
	for _, name := range names {
		program, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := macho.NewFile(bytes.NewReader(program))
		if err != nil {
			return nil, fmt.Errorf("%s is no program for macOS: %w", name, err)
		}
		for _, h := range header {
			if h.Cpu == file.Cpu {
				return nil, fmt.Errorf("%s is a second program for %v", name, file.Cpu)
			}
		}
		begin := (end + 1<<align - 1) &^ (1<<align - 1)
		if len(program) > math.MaxInt32 || uint64(begin)+uint64(len(program)) > math.MaxInt32 {
			return nil, errors.New("the programs are larger than 2 GiB")
		}
		header = append(header, macho.FatArchHeader{
			Cpu: file.Cpu, SubCpu: file.SubCpu, Offset: begin, Size: uint32(len(program)), Align: align,
		})
		programs = append(programs, program)
		end = begin + uint32(len(program))
	}

	out := binary.BigEndian.AppendUint32(make([]byte, 0, end), macho.MagicFat)
	out = binary.BigEndian.AppendUint32(out, uint32(len(header)))
	out, err := binary.Append(out, binary.BigEndian, header)
	if err != nil {
		return nil, err
	}
	for i, program := range programs {
		out = append(out, make([]byte, int(header[i].Offset)-len(out))...)
		out = append(out, program...)
	}
	return out, nil
}
