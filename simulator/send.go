package simulator

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
)

// route is where a send goes: what the script's target resolves to.
type route struct {
	outcome   outcome
	recipient string // handle, or the guid of a group
	peer      string // empty for a group
	chat      string // guid
	service   string
}

// resolve finds the target of a call. What it refuses has started nothing.
func (e *engine) resolve(ctx context.Context, c scriptCall) (route, error) {
	if c.Verb != verbText && c.Verb != verbFile {
		return route{}, errUnknownWord("verb", c.Verb)
	}
	switch c.Service {
	case serviceIMessage, serviceSMS, serviceRCS:
	case serviceAny:
		if c.Kind == kindParticipant {
			return route{}, errNoServiceType(c.Service)
		}
	default:
		return route{}, errNoServiceType(c.Service)
	}
	switch c.Kind {
	case kindParticipant:
		return resolveParticipant(c)
	case kindChat:
		return e.resolveChat(ctx, c)
	default:
		return route{}, errUnknownWord("kind", c.Kind)
	}
}

func resolveParticipant(c scriptCall) (route, error) {
	handle := canonicalHandle(c.Target)
	if handle == "" || strings.HasPrefix(handle, "urn:") || strings.ContainsAny(handle, "; ") {
		return route{}, errNoSuchParticipant(c.Target)
	}
	o := outcomeOf(handle)
	return route{o, handle, handle, directChat(handle), o.service(c.Service)}, nil
}

// resolveChat knows the chats of chat.db by their very guid, no other form of
// it. With the service any, a send goes by the chat's own.
func (e *engine) resolveChat(ctx context.Context, c scriptCall) (route, error) {
	found, ok, err := e.msgs.chat(ctx, c.Target)
	if err != nil {
		return route{}, err
	}
	if !ok {
		return route{}, errNoSuchChat(c.Target)
	}
	service := c.Service
	if service == serviceAny {
		service = found.service
	}
	if found.style == styleGroup {
		return route{recipient: c.Target, chat: c.Target, service: service}, nil
	}
	o := outcomeOf(found.identifier)
	return route{o, found.identifier, found.identifier, c.Target, o.service(service)}, nil
}

// prepare answers what the script asks before its marker: whether the target
// is there, the file too, and Automation allowed.
func (e *engine) prepare(ctx context.Context, c scriptCall) error {
	r, err := e.resolve(ctx, c)
	if err != nil {
		return err
	}
	if c.Verb == verbFile {
		if _, err := regularFile(c.Value); err != nil || !filepath.IsAbs(c.Value) {
			return errNoSuchFile(c.Value)
		}
	}
	if err := e.trouble.refuse(e.random, c, r); err != nil {
		return err
	}
	if !r.outcome.deniedOnce {
		return nil
	}
	denied, err := e.plan.deny(ctx, r.recipient, c.Value)
	if err == nil && denied {
		return errNotAuthorized()
	}
	return err
}

// accept is the hand-over: the send is durable when it returns, and is acted
// upon once.
func (e *engine) accept(ctx context.Context, c scriptCall, guid string, file *attachment) (route, error) {
	r, err := e.resolve(ctx, c)
	if err != nil || r.outcome.silent {
		return r, err
	}
	r.outcome = e.trouble.draw(e.random, r.outcome)
	l := &life{
		GUID: guid, Own: true, Service: r.service, Peer: r.peer, Chat: r.chat,
		Caller: e.opts.Number, File: file,
		Asked: &asked{Recipient: r.recipient, SHA256: digest(c.Value), Kind: r.outcome.kind()},
	}
	if file == nil {
		l.Text = c.Value
	}
	if r.outcome.alter {
		l.Text = altered(l.Text)
	}
	if r.outcome.misroute {
		l.Peer, l.Chat = MisroutedTo, directChat(MisroutedTo)
	}
	l.Steps = r.outcome.steps(l)
	if err := e.schedule(ctx, l); err != nil || !r.outcome.duplicate || file != nil {
		return r, err
	}
	again := *l
	again.GUID, again.Asked = newGUID(), &asked{Recipient: r.recipient, SHA256: digest(c.Value), Kind: EffectDuplicate}
	return r, e.schedule(ctx, &again)
}

// kind is what the effects log is to call the outcome; the second of two is not this
// one.
func (o outcome) kind() EffectKind {
	switch {
	case o.drop:
		return EffectDrop
	case o.ghost:
		return EffectGhost
	case o.misroute:
		return EffectMisroute
	}
	return EffectOrdinary
}

// stage takes the file of a send. One that has gone since the marker, or
// cannot be read, is sent all the same and fails in the row, as on a Mac.
func (e *engine) stage(c scriptCall, guid string) (*attachment, error) {
	if c.Verb != verbFile {
		return nil, nil
	}
	file, err := takeFile(e.attachments(), c.Value, guid)
	if errors.Is(err, errNoFile) {
		file.Unreadable = true
		return file, nil
	}
	return file, err
}
