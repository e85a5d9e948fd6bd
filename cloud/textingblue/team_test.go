package textingblue_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// person adds a member and returns his id.
func (w *world) person(a store.Account, id, login, role string) string {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		return tx.CreateMember(store.Member{ID: id, AccountID: a.ID, Login: login, Name: "John Doe", Role: role, CreatedAt: 1768471200000})
	})
	return id
}

func TestTeam(t *testing.T) {
	w := newWorld(t, nil)
	golden(t, "team", w.ok("GET", "/v1/team", "", http.StatusOK).body)
	if _, err := w.service.SetPlan(t.Context(), w.account.ID, "pro", func(*store.Limits) {}); err != nil {
		t.Fatal(err)
	}
	a := w.ok("PUT", "/v1/team", `{"name":"  Blue & Söhne "}`, http.StatusOK)
	golden(t, "team_renamed", a.body)
	if again := w.ok("GET", "/v1/team", "", http.StatusOK); string(again.body) != string(a.body) {
		t.Errorf("%s", again.body)
	}
}

func TestMembersAndInvitations(t *testing.T) {
	w := newWorld(t, nil)
	w.person(w.account, "usr_owner2345234", "owner@example.com", cloud.RoleOwner)
	w.person(w.newAccount("team_b", 0), "usr_b", "guest@example.com", cloud.RoleOwner) // is nobody here
	golden(t, "members", w.ok("GET", "/v1/team/members", "", http.StatusOK).body)
	golden(t, "invitations_none", w.ok("GET", "/v1/team/invitations", "", http.StatusOK).body)
	made := w.ok("POST", "/v1/team/members/invite", `{"email":" Guest@Example.com","role":"viewer"}`, http.StatusCreated)
	golden(t, "invitation", made.body)
	golden(t, "invitations", w.ok("GET", "/v1/team/invitations", "", http.StatusOK).body)
	if strings.Contains(w.contents(), inviteToken(t, made)) {
		t.Error("the token is in the database")
	}
	id := strings.Trim(made.member(t, "invitation_id"), `"`)
	if got, want := w.ok("DELETE", "/v1/team/invitations/"+id, "", http.StatusOK).body, fmt.Sprintf(`{"deleted":true,"id":%q}`, id); string(got) != want {
		t.Errorf("%s", got)
	}
	w.call("DELETE", "/v1/team/invitations/"+id, w.key, "").expect(t, http.StatusNotFound, "not_found", "")
	if _, err := w.service.Join(t.Context(), inviteToken(t, made), "Guest", "correct horse battery"); err == nil {
		t.Error("an invitation that was taken back still opens")
	}
}

// inviteToken is what stands at the end of the link in the answer to an invitation.
func inviteToken(t testing.TB, a answer) string {
	t.Helper()
	_, token, found := strings.Cut(strings.Trim(a.member(t, "invite_url"), `"`), "https://blue.example/invite?token=")
	if !found {
		t.Fatalf("%s", a.body)
	}
	return token
}

// One link makes one member; an address that is taken on this server none.
func TestAnInvitationWorksOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.person(w.account, "usr_owner", "owner@example.com", cloud.RoleOwner)
	invite := func(email, role string) string {
		t.Helper()
		return inviteToken(t, w.ok("POST", "/v1/team/members/invite", fmt.Sprintf(`{"email":%q,"role":%q}`, email, role), http.StatusCreated))
	}
	token := invite("guest@example.com", "admin")
	const password = "correct horse battery"
	for name, c := range map[string][3]string{
		"another token": {token[:len(token)-1], "Guest", password}, "no token": {"", "Guest", password}, "no name": {token, " ", password}, "a long name": {token, strings.Repeat("x", 101), password},
		"a short password": {token, "Guest", "correct hor"}, "a long password": {token, "Guest", strings.Repeat("x", 201)}, "the address as password": {token, "Guest", "Guest@example.com"}, "a broken password": {token, "Guest", "correct horse \xff"},
	} {
		if _, err := w.service.Join(t.Context(), c[0], c[1], c[2]); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	m, err := w.service.Join(t.Context(), token, " Guest ", password)
	if err != nil || m.Login != "guest@example.com" || m.Role != cloud.RoleAdmin || m.Name != "Guest" || !strings.HasPrefix(m.PasswordHash, "pbkdf2-sha256$") {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := w.service.Join(t.Context(), token, "Guest", password); err == nil {
		t.Error("a link works twice")
	}
	if open := w.ok("GET", "/v1/team/invitations", "", http.StatusOK); string(open.body) != `{"invitations":[]}` {
		t.Errorf("%s", open.body)
	}
	b := w.newAccount("team_b", 0)
	taken := w.call("POST", "/v1/team/members/invite", w.newKey(b, store.TextingBlue, "team:write"), `{"email":"guest@example.com","role":"viewer"}`)
	if taken.status != http.StatusCreated { // says nothing of other accounts
		t.Fatalf("%s", taken.body)
	}
	if _, err := w.service.Join(t.Context(), inviteToken(t, taken), "Guest", password); err == nil || !strings.Contains(err.Error(), "logs in to this server with your address already") {
		t.Errorf("%v", err)
	}
	// An old one opens nothing, and makes room for another to the same address.
	old := invite("late@example.com", "member")
	w.write(func(tx *store.Tx) error {
		list, err := tx.Invitations(tx.Context(), w.account.ID, 0)
		if err != nil {
			return err
		}
		v := list[0]
		if err := tx.DeleteInvitation(v.AccountID, v.ID, 0); err != nil {
			return err
		}
		v.CreatedAt, v.ExpiresAt = 1, time.Now().UnixMilli()
		return tx.CreateInvitation(v)
	})
	if _, err := w.service.Join(t.Context(), old, "Late", password); err == nil {
		t.Error("an invitation does not end")
	}
	invite("late@example.com", "member")
}

// Whatever is done, somebody is an owner.
func TestRoles(t *testing.T) {
	w := newWorld(t, nil)
	owner := w.person(w.account, "usr_owner", "owner@example.com", cloud.RoleOwner)
	other := w.person(w.account, "usr_other", "other@example.com", cloud.RoleViewer)
	role := func(id, role string) answer {
		t.Helper()
		return w.call("PATCH", "/v1/team/members/"+id, w.key, fmt.Sprintf(`{"role":%q}`, role))
	}
	golden(t, "member_changed", role(other, cloud.RoleMember).body)
	role(owner, cloud.RoleAdmin).expect(t, http.StatusConflict, "conflict", "")
	if a := role(owner, cloud.RoleOwner); a.status != http.StatusOK {
		t.Errorf("%s", a.body)
	}
	if a := role(other, cloud.RoleOwner); a.status != http.StatusOK {
		t.Errorf("%s", a.body)
	}
	if a := role(owner, cloud.RoleViewer); a.status != http.StatusOK {
		t.Errorf("%s", a.body)
	}
	w.call("DELETE", "/v1/team/members/"+other, w.key, "").expect(t, http.StatusConflict, "conflict", "")
	w.ok("DELETE", "/v1/team/members/"+owner, "", http.StatusOK)
	w.call("DELETE", "/v1/team/members/"+owner, w.key, "").expect(t, http.StatusNotFound, "not_found", "")
	if got := w.ok("GET", "/v1/team/members", "", http.StatusOK).body; strings.Contains(string(got), owner) || !strings.Contains(string(got), other) {
		t.Errorf("%s", got)
	}
}

// Whatever the body is, it is answered by an invitation or by an error of the page.
func FuzzInvite(f *testing.F) {
	w := newWorld(f, nil)
	for _, body := range []string{`{"email":"a@example.com","role":"member"}`, `{"email":"A@b.c","role":"owner"}`, `{"email":"a@example.com","role":["admin"]}`, `{}`, `[]`, `{"name":"x"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		here := *w
		here.t = t
		for _, r := range []struct{ method, path string }{{"POST", "/v1/team/members/invite"}, {"PUT", "/v1/team"}, {"PATCH", "/v1/team/members/usr_x"}} {
			switch a := here.call(r.method, r.path, w.key, string(body)); a.status {
			case http.StatusOK, http.StatusCreated:
			case http.StatusBadRequest, http.StatusConflict, http.StatusNotFound:
				a.problem(t)
			default:
				t.Fatalf("%s %s %q: %d %s", r.method, r.path, body, a.status, a.body)
			}
		}
	})
}
