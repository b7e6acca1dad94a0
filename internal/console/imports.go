package console

import (
	"net/http"
	"time"

	productpb "larder.dev/api/product/v1"
)

// importRow is an import with how far it is.
type importRow struct {
	*productpb.Import
	Bar headway
	// Stalled: nothing has come for a while. The file was cut off, and goes on when it is sent again.
	Stalled bool
}

// stalledAfter is how long a part of a file may take on its way (internal/product), and a little more.
const stalledAfter = 75 * time.Second

func (c *Console) listImports(w http.ResponseWriter, r *http.Request) error {
	answer, err := c.API.ListImports(r.Context(), &productpb.ListImportsRequest{})
	if err != nil {
		return err
	}
	rows := make([]importRow, 0, len(answer.GetImports()))
	for _, one := range answer.GetImports() {
		updated := one.GetUpdateTime().AsTime()
		row := importRow{Import: one, Stalled: one.GetState() == productpb.Import_RUNNING && time.Since(updated) > stalledAfter}
		row.Bar = newHeadway("Bytes", one.GetBytes(), one.GetSizeBytes(), updated.Sub(one.GetCreateTime().AsTime()))
		rows = append(rows, row)
	}
	return c.Show(w, r, http.StatusOK, "imports", "live", rows)
}
