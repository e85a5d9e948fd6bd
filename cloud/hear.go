package cloud

import "strings"

// guardOf is the permission by which what an event tells can be read elsewhere.
func guardOf(eventType string) Permission {
	kind, _, _ := strings.Cut(eventType, ".")
	switch kind {
	case "webhook":
		return WebhooksManage
	case "line", "relay":
		return NumbersRead
	}
	return MessagesRead
}

// mayRead returns Forbidden where a key may not see what has happened: in the log of
// events, or by having a webhook told of it again.
func (p Principal) mayRead(eventTypes ...string) error {
	for _, t := range eventTypes {
		if err := p.Need(guardOf(t)); err != nil {
			return err
		}
	}
	return nil
}

// maySubscribe returns Forbidden where a key may not have a webhook told of what happens
// from now on. That of messages is the vendors' own way to use webhooks:manage; numbers and
// their Macs are told by events of ours, and guarded as they are everywhere.
func (p Principal) maySubscribe(eventTypes []string) error {
	for _, t := range eventTypes {
		if guard := guardOf(t); guard != MessagesRead {
			if err := p.Need(guard); err != nil {
				return err
			}
		}
	}
	return nil
}
