package relay

import (
	"fmt"
	"testing"
)

// A note to another of one's own addresses than those that its rows name: other rows have
// named it, before a restart too.
func TestNoteToAnotherOwnAddress(t *testing.T) {
	const mail, number = "Me@Example.com", "+14155559876"
	s := newStory(t)
	s.own("O", "from my mail", columns{"is_sent": 1, "account": "E:" + mail})
	s.wants("typed O from my mail")
	note := columns{"handle": "me@example.com", "destination_caller_id": number, "account": "P:" + number}
	for i := range 2 {
		own, echo := fmt.Sprint("own", i), fmt.Sprint("echo", i)
		for guid, fromMe := range map[string]int{own: 1, echo: 0} {
			note["text"], note["is_from_me"], note["is_sent"] = "milk", fromMe, fromMe
			s.row(guid, note)
			s.join(guid, "any;-;me@example.com")
		}
		s.wants("typed " + own + " milk")
		s.impatient()
		s.wants()
		s.restart()
	}
	// To whom another person's row says that it came is nobody's but his.
	s.message("G1", "ok", columns{"destination_caller_id": bob, "account": "P:" + bob})
	s.wants("received G1 ok")
	s.row("O2", columns{"handle": bob, "text": "ok", "is_from_me": 1, "is_sent": 1})
	s.join("O2", "any;-;"+bob)
	s.row("G2", columns{"handle": bob, "text": "ok"})
	s.join("G2", "any;-;"+bob)
	s.wants("typed O2 ok", "received G2 ok")
}
