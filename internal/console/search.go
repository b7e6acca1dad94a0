package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/web"
)

type searchPage struct {
	Store, Q string
	// Answer is nil where nothing was asked.
	Answer *searchpb.SearchResponse
	Audits []*productpb.IndexAudit // that have ended
	Lag    chart
	Work   indexWork
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
	page.Audits = ended(listed)
	page.Lag = lag(page.Audits)
	page.Work, err = c.indexWork(r, listed)
	return page, err
}

// indexWork is what goes on with the index: the generations of it, with how far one is that is being made, and an audit that runs.
type indexWork struct {
	Generations []generationRow
	Audit       *headway // nil: none runs
}

type generationRow struct {
	*searchpb.Generation
	Bar *headway // of one that isn't full yet
}

// brokenOffAfter is how long an audit that runs may be silent (functions/auditindex), and a little more.
const brokenOffAfter = time.Minute

func (c *Console) indexWork(r *http.Request, audits *productpb.ListIndexAuditsResponse) (indexWork, error) {
	var work indexWork
	for _, a := range audits.GetAudits() {
		told := a.GetEndTime().AsTime()
		if !a.GetRunning() || time.Since(told) > brokenOffAfter {
			continue
		}
		bar := newHeadway("Documents", a.GetChecked(), a.GetDocuments(), told.Sub(a.GetStartTime().AsTime()))
		work.Audit = &bar
		break
	}
	answer, err := c.API.ListGenerations(r.Context(), &searchpb.ListGenerationsRequest{})
	if err != nil {
		return work, err
	}
	var all int64
	for _, g := range answer.GetGenerations() {
		if g.GetLive() {
			all = g.GetDocuments()
		}
	}
	for _, g := range answer.GetGenerations() {
		row := generationRow{Generation: g}
		if !g.GetLive() && g.GetDocuments() < all {
			bar := newHeadway("Documents", g.GetDocuments(), all, time.Since(g.GetCreateTime().AsTime()))
			row.Bar = &bar
		}
		work.Generations = append(work.Generations, row)
	}
	return work, nil
}

// ended leaves out an audit that runs, and those that were broken off.
func ended(listed *productpb.ListIndexAuditsResponse) []*productpb.IndexAudit {
	return slices.DeleteFunc(slices.Clone(listed.GetAudits()), (*productpb.IndexAudit).GetRunning)
}

func (c *Console) showSearch(w http.ResponseWriter, r *http.Request) error {
	page, err := c.searchPage(r)
	if err != nil {
		return err
	}
	if web.IsFragment(r) {
		return c.Fragment(w, r, http.StatusOK, "search", "live", page)
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
