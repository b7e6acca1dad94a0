// Package auditindex is the function AuditIndex: the documents of all products are compared with those in the search index, and what differs is
// sent to it again. Each difference is logged as an error: the road from the catalogue to the index lost or changed something.
package auditindex

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/internal/telemetry"
)

type config struct {
	function.Config
	// ProductAddr is the product service, host:port.
	ProductAddr string `env:"PRODUCT_ADDR,required"`
}

// tellEvery is how often an audit that runs has told how far it is.
const tellEvery = time.Second

type report struct {
	Checked  int `json:"checked"`
	InFlight int `json:"in_flight"`
	Findings int `json:"findings"`
	Repaired int `json:"repaired"`
	// LagMillis is the greatest of the ranges'.
	LagMillis int64 `json:"lag_ms"`

	id        string
	began     time.Time
	documents int64 // that there were when it began
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.ProductAddr)
	if err != nil {
		return nil, err
	}
	products := productpb.NewProductServiceClient(conn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		report := report{id: uuid.NewString(), began: time.Now()}
		var told time.Time // the last time, zero before the first
		request := &productpb.AuditIndexRequest{Repair: true}
		for {
			answer, err := products.AuditIndex(ctx, request)
			if err != nil {
				return report, fmt.Errorf("audit the index: %w", err)
			}
			report.documents = max(report.documents, answer.GetDocuments())
			report.Checked += int(answer.GetChecked())
			report.InFlight += int(answer.GetInFlight())
			report.Findings += len(answer.GetFindings())
			telemetry.AuditChecked.Add(ctx, int64(answer.GetChecked()), "index")
			telemetry.AuditFindings.Add(ctx, int64(len(answer.GetFindings())), "index")
			report.Repaired += int(answer.GetRepaired())
			report.LagMillis = max(report.LagMillis, answer.GetLagMs())
			for _, finding := range answer.GetFindings() {
				slog.ErrorContext(ctx, "index differs from the catalogue", "kind", finding.GetKind().String(), "product", finding.GetProductId(),
					"revision", finding.GetRevision(), "indexed", finding.GetIndexedRevision())
			}
			if request.PageToken = answer.GetNextPageToken(); request.GetPageToken() == "" {
				err := keep(ctx, products, &report, false)
				return report, err
			}
			if time.Since(told) < tellEvery {
				continue
			}
			told = time.Now()
			if err := keep(ctx, products, &report, true); err != nil {
				slog.WarnContext(ctx, "nobody is told how far the audit is", "error", err.Error())
			}
		}
	})
}

// keep has the report kept, for operators to see; while it runs, they see how far it is.
func keep(ctx context.Context, products productpb.ProductServiceClient, report *report, running bool) error {
	_, err := products.RecordIndexAudit(ctx, &productpb.RecordIndexAuditRequest{Audit: &productpb.IndexAudit{
		AuditId: report.id, StartTime: timestamppb.New(report.began), EndTime: timestamppb.Now(), Running: running, Documents: report.documents,
		Checked: int64(report.Checked), Findings: int64(report.Findings), InFlight: int64(report.InFlight), Repaired: int64(report.Repaired),
		LagMs: report.LagMillis,
	}})
	if err != nil {
		return fmt.Errorf("keep the report: %w", err)
	}
	return nil
}
