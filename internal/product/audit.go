package product

import (
	"context"
	"slices"
	"time"
)

// The audit answers whether the search index holds what the catalogue holds, one range of product ids at a time, from tables to
// index: each document is computed anew from the base tables and held against the one that is kept, and the kept one against the
// index's.
//
// What differs may be on its way. So it is looked at again after pauses, of about three seconds in all. What has then become
// equal, or has a later revision than at first, is in flight and no finding. Nor is a document that waits for Activate, a minute
// at most.
//
// What a repair does: it gives the kept document, computed anew, a new revision, and the document takes the road of every other
// change. Nothing writes to the index but the pipeline; so what is only in the index (EXTRA), or has a later revision there than in
// the catalogue (after a restore), is told and stays: it takes a new index.

// Document is one that the catalogue keeps for the index.
type Document struct {
	ProductID string
	Revision  int64 // 0: none is kept, though there is the product
	Deleted   bool
	Checksum  string // of internal/document
	// Miscomputed: it isn't what the tables give.
	Miscomputed bool
	// Activating: a price began or ended a moment ago, and its activation is still to come.
	Activating bool
}

// Indexed is a document that the index holds.
type Indexed struct {
	ProductID string
	Revision  int64
	Deleted   bool
	Checksum  string // of internal/document
}

// Documents are the catalogue's side of the audit. Ids are in bytewise order.
type Documents interface {
	// IDs are those behind an id, of products and of documents, at most limit.
	IDs(ctx context.Context, after string, limit int) ([]string, error)
	// Documents are those of these products, as they are now; ids that the catalogue never had are left out.
	Documents(ctx context.Context, ids []string) ([]Document, error)
	// Count is how many there are of the catalogue, deleted ones too.
	Count(ctx context.Context) (int64, error)
	// Renew computes the documents of these products, which the catalogue has or had, and gives each a new revision.
	Renew(ctx context.Context, ids []string) error
}

// Index is the search index, read only.
type Index interface {
	// Documents are those behind an id and up to another (empty: to the last), in bytewise order, at most limit.
	Documents(ctx context.Context, after, until string, limit int) ([]Indexed, error)
}

// Kind of a finding.
type Kind string

// Kinds, as api/product/v1 describes them.
const (
	Missing     Kind = "missing"
	Stale       Kind = "stale"
	Extra       Kind = "extra"
	Miscomputed Kind = "miscomputed"
)

// Finding is a product whose document is not in the index as it should be.
type Finding struct {
	Kind      Kind
	ProductID string
	// 0 where there is no document.
	Revision, IndexedRevision int64
}

// Audit is what a range was found to be.
type Audit struct {
	Checked  int // documents, of the catalogue and those that only the index has
	Findings []Finding
	InFlight int
	Repaired int
	// Lag is how long the slowest of those in flight was watched until the index had it; 0: none was in flight.
	Lag   time.Duration
	Total int64  // with the first range: documents of the catalogue in all
	Next  string // page token; empty: that was the last range
}

// looks are the pauses before a second and further looks at what differs: longer than a change usually takes to be searchable.
var looks = []time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, time.Second, time.Second}

// auditPage is how many documents a range has by default.
const auditPage = 500

// Auditor audits the index.
type Auditor struct {
	documents Documents
	index     Index
}

// NewAuditor makes one.
func NewAuditor(d Documents, i Index) *Auditor { return &Auditor{documents: d, index: i} }

// Audit looks at one range, of at most size documents, 1 to 1000, 0 meaning 500. Errors: INVALID_PAGE_TOKEN, UNAVAILABLE.
func (a *Auditor) Audit(ctx context.Context, size int, token string, repair bool) (Audit, error) {
	if size == 0 {
		size = auditPage
	}
	after, err := afterToken(token, auditMark)
	if err != nil {
		return Audit{}, err
	}
	r, err := a.rangeBehind(ctx, after, size)
	if err != nil {
		return Audit{}, err
	}
	audit := Audit{Checked: len(r.pairs)}
	if token == "" {
		if audit.Total, err = a.documents.Count(ctx); err != nil {
			return Audit{}, err
		}
	}
	if r.until != "" {
		audit.Next = tokenAfter(r.until, auditMark)
	}
	if err = a.lookAgain(ctx, r, &audit); err != nil || !repair {
		return audit, err
	}
	audit.Repaired, err = a.repair(ctx, audit.Findings)
	return audit, err
}

// auditMark keeps tokens of the audit and of lists of products apart: no category's id has spaces.
const auditMark = "audit of the index"

// pair is a product's document in the catalogue and in the index; nil: there is none.
type pair struct {
	kept    *Document
	indexed *Indexed
}

// idRange is a range of ids, up to until, included; empty: to the last of all.
type idRange struct {
	after, until string
	pairs        map[string]pair
}

// rangeBehind reads the range that follows an id. Whichever of catalogue and index has more documents there sets where it ends, so
// that neither gives more than size.
func (a *Auditor) rangeBehind(ctx context.Context, after string, size int) (idRange, error) {
	ids, err := a.documents.IDs(ctx, after, size)
	if err != nil {
		return idRange{}, err
	}
	r := idRange{after: after}
	if len(ids) == size {
		r.until = ids[size-1]
	}
	indexed, err := a.index.Documents(ctx, after, r.until, size)
	if err != nil {
		return idRange{}, err
	}
	if len(indexed) == size {
		r.until = indexed[size-1].ProductID
		ids = slices.DeleteFunc(ids, func(id string) bool { return id > r.until })
	}
	r.pairs, err = a.pairs(ctx, ids, indexed)
	return r, err
}

// pairs puts the documents of these products, of what was read of the index, and of the catalogue together. The catalogue is read
// last: what the index has by then, it knows.
func (a *Auditor) pairs(ctx context.Context, ids []string, indexed []Indexed) (map[string]pair, error) {
	pairs := make(map[string]pair, len(ids))
	for i := range indexed {
		pairs[indexed[i].ProductID] = pair{indexed: &indexed[i]}
		ids = append(ids, indexed[i].ProductID)
	}
	slices.Sort(ids)
	kept, err := a.documents.Documents(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	for i := range kept {
		p := pairs[kept[i].ProductID]
		p.kept = &kept[i]
		pairs[kept[i].ProductID] = p
	}
	return pairs, nil
}

// lookAgain looks at what differs until it no longer does, or the time is up.
func (a *Auditor) lookAgain(ctx context.Context, r idRange, audit *Audit) (err error) {
	began := time.Now()
	suspects := differing(r.pairs)
	last := r.pairs
	for _, pause := range looks {
		if len(suspects) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if last, err = a.suspects(ctx, r, suspects); err != nil {
			return err
		}
		still := differing(last)
		before := len(suspects)
		suspects = slices.DeleteFunc(suspects, func(id string) bool {
			return !slices.Contains(still, id) || last[id].revision() > r.pairs[id].revision()
		})
		if arrived := before - len(suspects); arrived > 0 {
			audit.InFlight += arrived
			audit.Lag = time.Since(began)
		}
	}
	for _, id := range suspects {
		p := last[id]
		if p.kept != nil && p.kept.Activating {
			audit.InFlight++
			continue
		}
		audit.Findings = append(audit.Findings, Finding{Kind: p.fault(), ProductID: id, Revision: p.revision(), IndexedRevision: p.indexedRevision()})
	}
	return nil
}

// suspects reads these products' documents again, from both sides. In their range the index may by now hold more than it did.
func (a *Auditor) suspects(ctx context.Context, r idRange, ids []string) (map[string]pair, error) {
	const size = 1000
	var indexed []Indexed
	for after := r.after; ; {
		page, err := a.index.Documents(ctx, after, ids[len(ids)-1], size)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			if _, wanted := slices.BinarySearch(ids, d.ProductID); wanted {
				indexed = append(indexed, d)
			}
		}
		if len(page) < size {
			break
		}
		after = page[size-1].ProductID
	}
	return a.pairs(ctx, slices.Clone(ids), indexed)
}

// repair sends again what that can mend.
func (a *Auditor) repair(ctx context.Context, findings []Finding) (int, error) {
	var ids []string
	for _, f := range findings {
		if f.Kind != Extra && (f.Kind == Miscomputed || f.IndexedRevision <= f.Revision) {
			ids = append(ids, f.ProductID)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return len(ids), a.documents.Renew(ctx, ids)
}

// differing are the products with something wrong, in order.
func differing(pairs map[string]pair) []string {
	var ids []string
	for id, p := range pairs {
		if p.fault() != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// fault is what is wrong; empty: nothing. A deleted product that the index doesn't hold is as good as one that it holds as deleted.
func (p pair) fault() Kind {
	switch {
	case p.kept == nil && p.indexed.Deleted:
		return ""
	case p.kept == nil:
		return Extra
	case p.kept.Miscomputed:
		return Miscomputed
	case p.indexed == nil && p.kept.Deleted:
		return ""
	case p.indexed == nil:
		return Missing
	case p.indexed.Revision != p.kept.Revision || p.indexed.Checksum != p.kept.Checksum:
		return Stale
	default:
		return ""
	}
}

func (p pair) revision() int64 {
	if p.kept == nil {
		return 0
	}
	return p.kept.Revision
}

func (p pair) indexedRevision() int64 {
	if p.indexed == nil {
		return 0
	}
	return p.indexed.Revision
}
