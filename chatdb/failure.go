package chatdb

// ErrorName puts the value of Message.Error into words. The list is that of
// Apple's IMFoundation (FZErrorType) as known from its headers; values above
// 42 exist and have no known name. An unknown value, and 0, give "".
func ErrorName(code int) string {
	names := [...]string{
		1:  "unknown error",
		2:  "cancelled",
		3:  "timed out",
		4:  "send failed",
		5:  "internal failure",
		6:  "network failure",
		7:  "network lookup failure",
		8:  "network connection failure",
		9:  "no network",
		10: "network busy",
		11: "network denied",
		12: "server signature error",
		13: "server decode error",
		14: "server parse error",
		15: "server internal error",
		16: "server: invalid request",
		17: "server: malformed request",
		18: "server: unknown request",
		19: "server: invalid token",
		20: "server: rejected",
		21: "recipient invalid",
		22: "recipient is not on iMessage",
		23: "recipient incompatible",
		24: "recipient rejected it",
		25: "transcoding failure",
		26: "encryption failure",
		27: "decryption failure",
		28: "off-the-record encryption failure",
		29: "off-the-record decryption failure",
		30: "local account disabled",
		31: "local account does not exist",
		32: "local account needs update",
		33: "local account invalid",
		34: "attachment upload failure",
		35: "attachment download failure",
		36: "message attachment upload failure",
		37: "message attachment download failure",
		38: "system needs update",
		39: "service crashed",
		40: "invalid local credentials",
		41: "attachment file not found",
		42: "text rendering failure",
	}
	if code < 0 || code >= len(names) {
		return ""
	}
	return names[code]
}
