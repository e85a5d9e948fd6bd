package cloud

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// idEncoding is how the random part of an id is written: five bits a character.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Handle is the UUID (version 4, lower case) by which a dialect that wants UUIDs calls
// a message. It is computed, so nothing has to be stored: the 60 bits of the id
// fill the first half of the UUID, 62 bits of the id's hash the second. An id that is
// none of ours has the handle "".
func Handle(id string) string {
	bits, ok := idBits(id)
	if !ok {
		return ""
	}
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], bits>>12<<16|4<<12|bits&0xfff) // 48 bits, the version, 12 bits
	sum := sha256.Sum256([]byte("handle " + id))
	copy(raw[8:], sum[:])
	raw[8] = raw[8]&0x3f | 0x80 // the variant
	text := hex.EncodeToString(raw[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", text[:8], text[8:12], text[12:16], text[16:20], text[20:])
}

// MessageOf is the id of the message that has a handle, or "" for a handle that is no
// message's. It takes upper case too.
func MessageOf(handle string) string {
	handle = strings.ToLower(handle)
	raw, err := hex.DecodeString(strings.ReplaceAll(handle, "-", ""))
	if err != nil || len(raw) != 16 {
		return ""
	}
	half := binary.BigEndian.Uint64(raw[:8])
	id := messageID(half>>16<<12 | half&0xfff)
	if Handle(id) != handle { // another version, another hash, dashes elsewhere
		return ""
	}
	return id
}

// messagePrefix is what ids of messages begin with.
const messagePrefix = "msg_"

// messageID is the id with the given 60 bits.
func messageID(bits uint64) string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], bits<<4)
	return messagePrefix + idEncoding.EncodeToString(raw[:])[:idLength]
}

// idBits are the 60 bits of a message's id.
func idBits(id string) (uint64, bool) {
	text, ok := strings.CutPrefix(id, messagePrefix)
	if !ok || len(text) != idLength {
		return 0, false
	}
	raw, err := idEncoding.DecodeString(text + "a") // 65 bits make eight bytes
	if err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw) >> 4, true
}
