package cloud

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ValidNumber tells whether s is an E.164 number of a possible length. It does not
// ask whether the number is in use: the vendors' own samples are not.
func ValidNumber(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	if !ok || len(digits) < 7 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	n, err := phonenumbers.Parse(s, phonenumbers.UNKNOWN_REGION)
	return err == nil && phonenumbers.IsPossibleNumber(n)
}

// shortDigits is the number of digits up to which a national number may be a short
// one: emergency services, codes of operators, premium messages.
const shortDigits = 7

// checkRecipient refuses whom nothing can or should be sent to. Short numbers and
// those that cost the caller extra are declined: a Mac that is asked to write to them
// spends its owner's money, or calls for help.
func checkRecipient(to string) error {
	digits := strings.TrimPrefix(to, "+")
	if digits != "" && len(digits) < shortDigits && strings.Trim(digits, "0123456789") == "" {
		return Invalid("to", "The 'to' field must be a full E.164 phone number: emergency and short numbers are declined.")
	}
	if !ValidNumber(to) {
		return Invalid("to", "The 'to' field must be a valid E.164 phone number")
	}
	n, err := phonenumbers.Parse(to, phonenumbers.UNKNOWN_REGION)
	switch {
	case err != nil:
		return Invalid("to", "The 'to' field must be a valid E.164 phone number")
	case isShort(n):
		return Invalid("to", "The 'to' field must not be an emergency or short number.")
	case phonenumbers.GetNumberType(n) == phonenumbers.PREMIUM_RATE:
		return Invalid("to", "The 'to' field must not be a premium-rate number.")
	}
	return nil
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
