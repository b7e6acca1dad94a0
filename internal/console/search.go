package console

import (
	"net/http"
	"strings"

	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
)

type searchPage struct {
	Store, Q string
	// Answer is nil where nothing was asked.
	Answer *searchpb.SearchResponse
	Audits []*productpb.IndexAudit
	Lag    chart
	// Found is what an audit from here found; nil: none was asked for.
	Found *indexFound
}

type indexFound struct {
	Checked, InFlight int32
	Findings          []*productpb.IndexFinding
	Cut               bool
}

func (c *Console) searchPage(r *http.Request) (searchPage, error) {
	page := searchPage{Store: c.storeOf(r), Q: strings.TrimSpace(r.URL.Query().Get("q"))}
	listed, err := c.API.ListIndexAudits(r.Context(), &productpb.ListIndexAuditsRequest{})
	if err != nil {
		return page, err
	}
	page.Audits, page.Lag = listed.GetAudits(), lag(listed)
	return page, nil
}

func (c *Console) showSearch(w http.ResponseWriter, r *http.Request) error {
	page, err := c.searchPage(r)
	if err != nil {
		return err
	}
	if page.Q != "" {
		page.Answer, err = c.API.Search(r.Context(), &searchpb.SearchRequest{Q: page.Q, Store: page.Store, PageSize: 10, Explain: true})
		if err != nil {
			return err
		}
	}
	return c.Render(w, r, http.StatusOK, "search", page)
}

// auditRanges bounds an audit from a page, 1000 documents each; the scheduled one goes through all.
const auditRanges = 20

// auditIndex compares and repairs nothing, so it doesn't ask.
func (c *Console) auditIndex(w http.ResponseWriter, r *http.Request) error {
	found := &indexFound{}
	token := ""
	for range auditRanges {
		answer, err := c.API.AuditIndex(r.Context(), &productpb.AuditIndexRequest{PageSize: 1000, PageToken: token})
		if err != nil {
			return err
		}
		found.Checked += answer.GetChecked()
		found.InFlight += answer.GetInFlight()
		found.Findings = append(found.Findings, answer.GetFindings()...)
		if token = answer.GetNextPageToken(); token == "" {
			break
		}
	}
	found.Cut = token != ""
	page, err := c.searchPage(r)
	if err != nil {
		return err
	}
	page.Found = found
	return c.Render(w, r, http.StatusOK, "search", page)
}
