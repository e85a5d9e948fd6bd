package sendblue

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// hookEvents are our events for each type of webhook that the API has. Types without
// one can be registered and are never told anything: a Mac does not see what they are
// about.
var hookEvents = map[string][]string{
	"receive":          {"message.received"},
	"outbound":         outcomes,
	"typing_indicator": nil,
	"call_log":         nil,
	"inbound_call":     nil,
	"line_blocked":     nil,
	"line_assigned":    nil,
	"contact_created":  nil,
	"contact_profile":  nil,
}

// outcomes are what becomes of a message. QUEUED is told by the answer to the send.
var outcomes = []string{"message.sent", "message.delivered", "message.failed", "message.unknown"}

// hookTypes are the types in the order of the documentation.
var hookTypes = []string{"receive", "outbound", "typing_indicator", "call_log", "inbound_call", "line_blocked", "line_assigned", "contact_created", "contact_profile"}

// hook is a webhook that is more than a URL.
type hook struct {
	URL     string   `json:"url"`
	Secret  string   `json:"secret,omitempty"`
	Numbers []string `json:"sendblue_numbers,omitempty"`
	// RetryPreset is our own key: how it is tried again, where that is not the usual way.
	RetryPreset string `json:"retry_preset,omitempty"`
	// DisabledReason and DisabledAt are ours too, and only shown: why and since when the
	// server has switched it off.
	DisabledReason string `json:"disabled_reason,omitempty"`
	DisabledAt     string `json:"disabled_at,omitempty"`
}

// plain tells whether a webhook is no more than its URL.
func (h hook) plain() bool {
	return h.Secret == "" && len(h.Numbers) == 0 && h.RetryPreset == "" && h.DisabledReason == ""
}

// hooks are the answer to all that is about webhooks.
type hooks struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	// Webhooks are lists of URLs and hooks by their type, and globalSecret. A type without
	// any is left out, never null: the official command-line program cannot read that.
	Webhooks map[string]any `json:"webhooks"`
	// Standard are our own secrets of new ones, for the Standard Webhooks signature.
	Standard []standardHook `json:"standard_webhooks,omitempty"`
}

type standardHook struct {
	Type   string `json:"type"`
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// hooksReply shows all webhooks of the account, and the secrets of those just made.
func hooksReply(set cloud.HookSet, message string) reply {
	byType := make(map[string][]any)
	for _, w := range set.List {
		h := hook{w.URL, w.GivenSecret, w.Numbers, w.RetryPreset, w.Disabled, stamp(w.DisabledAt)}
		var one any = h
		if h.plain() {
			one = w.URL
		}
		byType[w.Kind] = append(byType[w.Kind], one)
	}
	out := hooks{Status: statusOK, Message: message, Webhooks: make(map[string]any)}
	for kind, list := range byType {
		out.Webhooks[kind] = list
	}
	if set.Secret != "" {
		out.Webhooks["globalSecret"] = set.Secret
	}
	for _, w := range set.Made {
		out.Standard = append(out.Standard, standardHook{w.Kind, w.URL, w.Secret})
	}
	return reply{http.StatusOK, out}
}

func (a *API) listWebhooks(ctx context.Context, c call) (reply, error) {
	set, err := a.cloud.HookSet(ctx, c.who, store.Sendblue)
	return hooksReply(set, ""), err
}

// changeWebhooks makes a change and answers with what there is then.
func (a *API) changeWebhooks(ctx context.Context, c call, change cloud.HookChange, message string) (reply, error) {
	change.Dialect, change.Once = store.Sendblue, c.once
	change.Answer = func(set cloud.HookSet) (int, []byte, error) { return hooksReply(set, message).encode() }
	set, err := a.cloud.ChangeWebhooks(ctx, c.who, change)
	return hooksReply(set, message), err
}

// namedHooks reads a body with a type and a list of webhooks of it.
func namedHooks(c call) (f fields, kind string, list []store.Webhook, err error) {
	if f, err = c.object(); err != nil {
		return nil, "", nil, err
	}
	if kind, err = hookType(f); err != nil {
		return nil, "", nil, err
	}
	list, err = readHooks(f, "webhooks", kind)
	return f, kind, list, err
}

func (a *API) addWebhooks(ctx context.Context, c call) (reply, error) {
	f, _, list, err := namedHooks(c)
	if err != nil {
		return reply{}, err
	}
	var shared *string
	if f.has("globalSecret") {
		secret, err := givenSecret(f, "globalSecret")
		if err != nil {
			return reply{}, err
		}
		shared = &secret
	}
	if len(list) == 0 && shared == nil {
		return reply{}, cloud.Invalid("webhooks", "The 'webhooks' field is required.")
	}
	return a.changeWebhooks(ctx, c, cloud.HookChange{List: list, Secret: shared}, "Webhooks added successfully")
}

func (a *API) replaceWebhooks(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	var byType fields
	if err := json.Unmarshal(f["webhooks"], &byType); err != nil || byType == nil {
		return reply{}, cloud.Invalid("webhooks", "The 'webhooks' field must be an object of lists by type.")
	}
	secret, err := givenSecret(byType, "globalSecret")
	if err != nil {
		return reply{}, err
	}
	delete(byType, "globalSecret")
	var list []store.Webhook
	for _, kind := range hookTypes {
		some, err := readHooks(byType, kind, kind)
		if err != nil {
			return reply{}, err
		}
		list = append(list, some...)
		delete(byType, kind)
	}
	if len(byType) > 0 {
		return reply{}, wrongHookType()
	}
	return a.changeWebhooks(ctx, c, cloud.HookChange{List: list, Only: true, Secret: &secret}, "Webhooks updated successfully")
}

func (a *API) removeWebhooks(ctx context.Context, c call) (reply, error) {
	_, kind, list, err := namedHooks(c)
	if err != nil {
		return reply{}, err
	}
	if len(list) == 0 {
		return reply{}, cloud.Invalid("webhooks", "The 'webhooks' field is required.")
	}
	urls := make([]string, len(list))
	for i, w := range list {
		urls[i] = w.URL
	}
	n, err := a.cloud.RemoveWebhooks(ctx, c.who, store.Sendblue, kind, urls)
	if err != nil {
		return reply{}, err
	}
	if n == 0 {
		return reply{}, &cloud.Error{Code: cloud.NotFound, Message: "Webhook not found"}
	}
	return reply{http.StatusOK, done{statusOK, "Webhooks deleted successfully"}}, nil
}

// hookType is the type that a request is about: receive unless it says another.
func hookType(f fields) (string, error) {
	kind, err := f.text("type")
	if err != nil || kind == "" {
		return "receive", err
	}
	if !slices.Contains(hookTypes, kind) {
		return "", wrongHookType()
	}
	return kind, nil
}

func wrongHookType() error {
	return cloud.Invalid("type", "Invalid webhook type. Must be one of: %s", strings.Join(hookTypes, ", "))
}

// readHooks reads a list of URLs and objects, each once.
func readHooks(f fields, name, kind string) ([]store.Webhook, error) {
	wrong := cloud.Invalid("webhooks", "The '%s' field must be an array of URLs, or of objects with 'url'.", name)
	raw := f[name]
	if all, ok := f[name+several]; ok { // of a form
		raw = all
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, wrong
	}
	var list []store.Webhook
	for _, item := range items {
		w, err := readHook(item, wrong)
		if err != nil {
			return nil, err
		}
		if w.Kind, w.Events = kind, hookEvents[kind]; !slices.ContainsFunc(list, w.Same) {
			list = append(list, w)
		}
	}
	return list, nil
}

func readHook(item json.RawMessage, wrong error) (w store.Webhook, err error) {
	if !bytes.HasPrefix(item, []byte("{")) {
		if json.Unmarshal(item, &w.URL) != nil || w.URL == "" {
			return w, wrong
		}
		return w, nil
	}
	var f fields
	if json.Unmarshal(item, &f) != nil {
		return w, wrong
	}
	if w.URL, err = f.text("url"); err != nil || w.URL == "" {
		return w, wrong
	}
	if w.GivenSecret, err = givenSecret(f, "secret"); err != nil {
		return w, err
	}
	if w.Numbers, err = f.list("sendblue_numbers"); err != nil {
		return w, err
	}
	w.RetryPreset, err = f.text("retry_preset")
	return w, err
}

// maxSecret is the length of a secret in bytes.
const maxSecret = 500

// givenSecret reads a secret, which must fit into a header as it is.
func givenSecret(f fields, name string) (string, error) {
	s, err := f.text(name)
	if err == nil && (len(s) > maxSecret || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })) {
		err = cloud.Invalid(name, "The '%s' field must be at most %d visible ASCII characters.", name, maxSecret)
	}
	return s, err
}
