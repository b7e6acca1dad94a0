// Package auditindex is the function AuditIndex: the documents of all products are compared with those in the search index, and what differs is
// sent to it again. Each difference is logged as an error: the road from the catalogue to the index lost or changed something.
package auditindex

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	productpb "larder.dev/api/product/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/internal/telemetry"
)

type config struct {
	function.Config
	// ProductAddr is the product service, host:port.
	ProductAddr string `env:"PRODUCT_ADDR,required"`
}

type report struct {
	Checked  int `json:"checked"`
	InFlight int `json:"in_flight"`
	Findings int `json:"findings"`
	Repaired int `json:"repaired"`
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
		var report report
		request := &productpb.AuditIndexRequest{Repair: true}
		for {
			answer, err := products.AuditIndex(ctx, request)
			if err != nil {
				return report, fmt.Errorf("audit the index: %w", err)
			}
			report.Checked += int(answer.GetChecked())
			report.InFlight += int(answer.GetInFlight())
			report.Findings += len(answer.GetFindings())
			telemetry.AuditChecked.Add(ctx, int64(answer.GetChecked()), "index")
			telemetry.AuditFindings.Add(ctx, int64(len(answer.GetFindings())), "index")
			report.Repaired += int(answer.GetRepaired())
			for _, finding := range answer.GetFindings() {
				slog.ErrorContext(ctx, "index differs from the catalogue", "kind", finding.GetKind().String(), "product", finding.GetProductId(),
					"revision", finding.GetRevision(), "indexed", finding.GetIndexedRevision())
			}
			if request.PageToken = answer.GetNextPageToken(); request.GetPageToken() == "" {
				return report, nil
			}
		}
	})
}
