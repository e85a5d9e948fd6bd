package console

import (
	"net/http"
	"time"

	"bluerelay/cloud"
)

// setupPage is what the page of a setup URL shows.
type setupPage struct {
	cloud.Setup
	Command string // that pairs, where the URL is open
	Problem string // why it is not, as a sentence
	Minutes int    // how long it still lives, rounded up
	Until   string // by the clock, in UTC
}

func (c Console) showSetup(w http.ResponseWriter, r *http.Request) {
	token := ourToken(r.URL.Query().Get("token"))
	if token == "" {
		c.render(w, http.StatusOK, "setup.html", setupPage{})
		return
	}
	setup, err := c.Cloud.Setup(r.Context(), token)
	if err != nil {
		c.Log.Error("setup.failed", "error", err.Error())
		http.Error(w, "the server cannot answer at the moment: try again later", http.StatusServiceUnavailable)
		return
	}
	page := setupPage{Setup: setup}
	if setup.State == cloud.SetupOpen {
		page.Command = "bluerelay pair '" + c.PublicURL + "/setup?token=" + token + "'"
		page.Minutes = int((time.Until(setup.ExpiresAt) + time.Minute - 1) / time.Minute)
		page.Until = setup.ExpiresAt.UTC().Format("15:04 UTC")
	} else {
		page.Problem = (&cloud.SetupError{State: setup.State}).Error()
	}
	c.render(w, http.StatusOK, "setup.html", page)
}
