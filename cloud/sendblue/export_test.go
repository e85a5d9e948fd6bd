package sendblue

// Route is a line of the router's table, for tests.
type Route struct {
	Pattern string
	Need    string
}

// Routes is the router's table.
func (a *API) Routes() []Route {
	list := make([]Route, len(a.routes))
	for i, r := range a.routes {
		list[i] = Route{r.pattern, string(r.need)}
	}
	return list
}
