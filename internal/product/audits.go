package product

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
)

// AuditReport is what an audit of the index came to, or, while it runs, how far it is.
type AuditReport struct {
	ID         string // UUID
	Start, End time.Time
	// Running: End is when it last told. Documents are how many there were to compare when it began; 0: not known.
	Running                               bool
	Documents                             int64
	Checked, Findings, InFlight, Repaired int64
	// Lag is the greatest of its ranges'.
	Lag time.Duration
}

// Reports keeps what audits came to, for a week.
type Reports interface {
	// KeepReport keeps a report in the place of what its audit told before, unless that has ended, and drops those that are older than a week.
	KeepReport(ctx context.Context, report AuditReport) error
	// AuditReports lists them, newest first.
	AuditReports(ctx context.Context, limit int) ([]AuditReport, error)
}

// RecordIndexAudit implements ProductServiceServer.
func (s *Server) RecordIndexAudit(ctx context.Context, req *productpb.RecordIndexAuditRequest) (*emptypb.Empty, error) {
	a := req.GetAudit()
	report := AuditReport{
		ID: a.GetAuditId(), Start: a.GetStartTime().AsTime(), End: a.GetEndTime().AsTime(), Checked: a.GetChecked(), Findings: a.GetFindings(),
		InFlight: a.GetInFlight(), Repaired: a.GetRepaired(), Lag: time.Duration(a.GetLagMs()) * time.Millisecond,
		Running: a.GetRunning(), Documents: a.GetDocuments(),
	}
	if err := s.service.catalogue.KeepReport(ctx, report); err != nil {
		return nil, fmt.Errorf("keep the report of an audit: %w", err)
	}
	return &emptypb.Empty{}, nil
}

// ListIndexAudits implements ProductServiceServer.
func (s *Server) ListIndexAudits(ctx context.Context, req *productpb.ListIndexAuditsRequest) (*productpb.ListIndexAuditsResponse, error) {
	reports, err := s.service.catalogue.AuditReports(ctx, cmp.Or(int(req.GetPageSize()), 60))
	if err != nil {
		return nil, fmt.Errorf("list the reports of audits: %w", err)
	}
	answer := &productpb.ListIndexAuditsResponse{}
	for _, r := range reports {
		answer.Audits = append(answer.Audits, &productpb.IndexAudit{
			AuditId: r.ID, StartTime: timestamppb.New(r.Start), EndTime: timestamppb.New(r.End), Checked: r.Checked, Findings: r.Findings,
			InFlight: r.InFlight, Repaired: r.Repaired, LagMs: r.Lag.Milliseconds(), Running: r.Running, Documents: r.Documents,
		})
	}
	return answer, nil
}
