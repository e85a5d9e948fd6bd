package sendblue

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// group is a group as far as it is known.
type group struct {
	ID           string   `json:"group_id"`
	Name         string   `json:"group_name"`
	CreatedAt    string   `json:"created_at"` // when it was first seen here
	UpdatedAt    string   `json:"updated_at"`
	Numbers      []string `json:"participant_numbers"`
	Participants []member `json:"participants"`
	// LatestAt is when something was last said in it.
	LatestAt string    `json:"latest_comm_at,omitempty"`
	Photo    *struct{} `json:"group_photo"` // always null: Messages' picture stays on the Mac
}

// member is somebody who is in a group.
type member struct {
	ID        string  `json:"participant_id"`
	Handle    string  `json:"handle"`
	Phone     *string `json:"phone"` // null where the handle is an e-mail address
	Name      *string `json:"name"`
	ContactID *string `json:"contact_id"`
	SeatID    *string `json:"seat_id"` // always null: there are no seats here
	Type      string  `json:"type"`
}

func (a *API) getGroup(ctx context.Context, c call) (reply, error) {
	g, err := a.cloud.Group(ctx, c.who, c.PathValue("id"))
	if errors.Is(err, store.ErrNotFound) {
		return reply{}, &cloud.Error{Code: cloud.NotFound, Message: "Group not found"}
	}
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, struct {
		Status string `json:"status"`
		Data   group  `json:"data"`
	}{statusOK, renderGroup(g)}}, nil
}

// renderGroup lists the account's own lines among the numbers, as the API does.
func renderGroup(g cloud.Group) group {
	out := group{
		ID: g.ID, Name: g.Name, CreatedAt: stamp(g.FirstSeen), UpdatedAt: stamp(g.UpdatedAt), LatestAt: stamp(g.LastSaid),
		Numbers: append([]string{}, g.Lines...), Participants: make([]member, len(g.Members)),
	}
	for i, who := range g.Members {
		known := g.Contacts[who]
		m := member{ID: who, Handle: who, Name: text(strings.TrimSpace(known.FirstName + " " + known.LastName)), ContactID: text(known.ID), Type: "contact"}
		if strings.HasPrefix(who, "+") {
			m.Phone = text(who)
		}
		out.Numbers = append(out.Numbers, who)
		out.Participants[i] = m
	}
	return out
}
