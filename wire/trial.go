package wire

// Trial is the body of POST /relay/v1/test: the person at the Mac wants a message to a
// number of his own, to see that the whole way works. The request carries the relay's
// credential, and the message is one like any other.
type Trial struct {
	To string `json:"to"` // E.164, or an e-mail address
}

// TrialAnswer answers Trial: with status 202 the id of the message, which the relay is
// given like any other; otherwise Error, a sentence for the person at the Mac.
type TrialAnswer struct {
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}
