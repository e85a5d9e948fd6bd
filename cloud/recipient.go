package cloud

import (
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// ValidNumber tells whether s is an E.164 number of a possible length. It does not
// ask whether the number is in use: the vendors' own samples are not.
func ValidNumber(s string) bool { return parsed.of(s, parseNumber) != nil }

// parsed remembers numbers: to take one apart costs as much as to store a message. It is
// nil for what is no number.
var parsed = memo[*phonenumbers.PhoneNumber]{most: 8192}

func parseNumber(s string) *phonenumbers.PhoneNumber {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < 7 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	n, err := phonenumbers.Parse(s, phonenumbers.UNKNOWN_REGION)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return nil
	}
	return n
}

// shortDigits is the number of digits up to which a national number may be a short
// one: emergency services, codes of operators, premium messages.
const shortDigits = 7

// checkRecipient refuses whom nothing can or should be sent to. Short numbers and
// those that cost the caller extra are declined: a Mac that is asked to write to them
// spends its owner's money, or calls for help.
func checkRecipient(to string) error { return verdicts.of(to, judgeRecipient) }

// verdicts remembers what checkRecipient found, which depends on the number alone and
// costs more than anything else that is done about a send before it is stored.
var verdicts = memo[error]{most: 8192}

// memo remembers the answers of a function of a string, the latest few. It may be used
// concurrently.
type memo[T any] struct {
	most int // answers; when there are more, all are forgotten

	mu    sync.Mutex
	known map[string]T
}

func (m *memo[T]) of(s string, find func(string) T) T {
	m.mu.Lock()
	answer, ok := m.known[s]
	m.mu.Unlock()
	if ok {
		return answer
	}
	answer = find(s)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= m.most {
		m.known = make(map[string]T)
	}
	m.known[s] = answer
	return answer
}

func judgeRecipient(to string) error {
	digits := strings.TrimPrefix(to, "+")
	if digits != "" && len(digits) < shortDigits && strings.Trim(digits, "0123456789") == "" {
		return declinedNumber("The 'to' field must be a full E.164 phone number: emergency and short numbers are declined.")
	}
	n := parseNumber(to)
	switch {
	case n == nil:
		return Invalid("to", "The 'to' field must be a valid E.164 phone number")
	case isShort(n):
		return declinedNumber("The 'to' field must not be an emergency or short number.")
	case phonenumbers.GetNumberType(n) == phonenumbers.PREMIUM_RATE:
		return declinedNumber("The 'to' field must not be a premium-rate number.")
	}
	return nil
}

func declinedNumber(message string) *Error {
	return &Error{Code: InvalidRequest, Param: "to", Message: message, Declined: true}
}

// isShort tells whether a number with its country's code is one that is dialled
// without it. Some regions have full numbers as short as that.
func isShort(n *phonenumbers.PhoneNumber) bool {
	national := phonenumbers.GetNationalSignificantNumber(n)
	if len(national) > shortDigits || phonenumbers.IsValidNumber(n) {
		return false
	}
	if phonenumbers.IsValidShortNumber(n) {
		return true
	}
	for _, region := range phonenumbers.GetRegionCodesForCountryCode(int(n.GetCountryCode())) {
		if phonenumbers.ConnectsToEmergencyNumber(national, region) {
			return true
		}
	}
	return false
}
