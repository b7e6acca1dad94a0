package postgres

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/fault"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
)

var (
	//go:embed sql/import.sql
	importByID string
	//go:embed sql/imports.sql
	latestImports string
	//go:embed sql/import_errors.sql
	importErrors string
	//go:embed sql/forget_imports.sql
	forgetImports string
	//go:embed sql/begin_import.sql
	beginImport string
	//go:embed sql/lock_import_products.sql
	lockImportProducts string
	//go:embed sql/hold_import_categories.sql
	holdImportCategories string
	//go:embed sql/hold_import_brands.sql
	holdImportBrands string
	//go:embed sql/lock_import_documents.sql
	lockImportDocuments string
	//go:embed sql/import_lines.sql
	importLines string
	//go:embed sql/check_import.sql
	checkImport string
	//go:embed sql/import_products.sql
	importProducts string
	//go:embed sql/keep_import_errors.sql
	keepImportErrors string
	//go:embed sql/advance_import.sql
	advanceImport string
)

var _ product.Imports = (*Store)(nil)

// Import implements product.Imports.
func (s *Store) Import(ctx context.Context, id product.ImportID) (product.Import, error) {
	found, err := scanImport(s.pool.QueryRow(ctx, importByID, kept(id)))
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Import{}, importNotFound(id)
	}
	if err != nil {
		return product.Import{}, wrap(err, "read an import")
	}
	found.Errors, err = collect(ctx, s.pool, scanLineError, importErrors, kept(id))
	return found, wrap(err, "read an import's errors")
}

// LatestImports implements product.Imports.
func (s *Store) LatestImports(ctx context.Context, limit int) ([]product.Import, error) {
	found, err := collect(ctx, s.pool, scanImport, latestImports, limit)
	return found, wrap(err, "list imports")
}

// kept is the id that an import is kept by. A key has no slash, so it can't be taken for another's; what the release before this one began
// has no user in its id, and is begun anew.
func kept(id product.ImportID) string { return id.UserID + "/" + id.Key }

func scanImport(row pgx.Row) (product.Import, error) {
	var (
		i  product.Import
		id string
	)
	err := row.Scan(&id, &i.Format, &i.Columns, &i.Lines, &i.Digest, &i.Done, &i.Created, &i.Changed, &i.Unchanged, &i.Failed,
		&i.CreateTime, &i.UpdateTime, &i.Bytes, &i.Size)
	i.ID.UserID, i.ID.Key, _ = strings.Cut(id, "/")
	return i, err
}

func scanLineError(row pgx.Row) (product.LineError, error) {
	var e product.LineError
	err := row.Scan(&e.Line, &e.Field, &e.Reason, &e.Description)
	return e, err
}

// moves is how often a part is tried while others add its products or remove its stores.
const moves = 5

// TakeIn implements product.Imports.
func (s *Store) TakeIn(ctx context.Context, part product.ImportPart) (stands product.Import, err error) {
	for range moves {
		err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
			stands, err = takeIn(ctx, tx, part)
			return err
		})
		// Between the check and the write somebody has added a product or removed a store.
		if !pgdb.Violates(err, "products_pkey") && !pgdb.Violates(err, "store_products_store_id_fkey") {
			break
		}
	}
	return stands, wrap(err, "take in a part of an import")
}

func takeIn(ctx context.Context, tx pgx.Tx, part product.ImportPart) (product.Import, error) {
	stands, taken, err := standsAt(ctx, tx, part)
	if err != nil || taken {
		return stands, err
	}
	// Plans that a session made over an empty catalogue must do for a full one, as in the documents' triggers.
	if _, err := tx.Exec(ctx, `select set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`); err != nil {
		return stands, fmt.Errorf("set the planner: %w", err)
	}
	faults, err := checked(ctx, tx, part)
	if err != nil {
		return stands, err
	}
	sound := slices.DeleteFunc(slices.Clone(part.Products), func(l product.ImportLine) bool {
		return slices.ContainsFunc(faults, func(e product.LineError) bool { return e.Line == l.Line })
	})
	created, changed, err := write(ctx, tx, sound)
	if err != nil {
		return stands, err
	}
	failed, err := keep(ctx, tx, kept(part.ID), slices.Concat(part.Errors, faults))
	if err != nil {
		return stands, err
	}
	if part.Last {
		if _, err := tx.Exec(ctx, `delete from products.import_lines where import_id = $1`, kept(part.ID)); err != nil {
			return stands, fmt.Errorf("forget an import's lines: %w", err)
		}
	}
	stands, err = scanImport(tx.QueryRow(ctx, advanceImport, kept(part.ID), part.Until, part.Digest, part.Last,
		created, changed, int64(len(sound))-created-changed, failed, part.Bytes, part.Size))
	if err != nil {
		return stands, fmt.Errorf("advance an import: %w", err)
	}
	return stands, nil
}

// standsAt locks the import, which a part after no lines begins, and tells whether it has this part already.
func standsAt(ctx context.Context, tx pgx.Tx, part product.ImportPart) (stands product.Import, taken bool, err error) {
	if part.After == 0 {
		if _, err := tx.Exec(ctx, forgetImports); err != nil {
			return stands, false, fmt.Errorf("forget old imports: %w", err)
		}
		if _, err := tx.Exec(ctx, beginImport, kept(part.ID), part.Format, orEmpty(part.Columns)); err != nil {
			return stands, false, fmt.Errorf("begin an import: %w", err)
		}
	}
	stands, err = scanImport(tx.QueryRow(ctx, importByID+" for update", kept(part.ID)))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return stands, false, importNotFound(part.ID)
	case err != nil:
		return stands, false, fmt.Errorf("lock an import: %w", err)
	case stands.Format != part.Format:
		return stands, false, fault.IdempotencyKeyReused.New("the import %q has another format", part.ID.Key)
	case !stands.Done && stands.Lines == part.After:
		return stands, false, nil
	case stands.Done == part.Last && stands.Lines == part.Until && bytes.Equal(stands.Digest, part.Digest):
		return stands, true, nil
	default:
		return stands, false, fault.ImportConflict.New("the import %q has %d lines done, not %d", part.ID.Key, stands.Lines, part.After)
	}
}

// checked locks what the part's lines are about and tells which of them can't go in.
func checked(ctx context.Context, tx pgx.Tx, part product.ImportPart) ([]product.LineError, error) {
	if len(part.Products) == 0 {
		return nil, nil
	}
	var ids, categories, brands []string
	var numbers []int64
	for _, l := range part.Products {
		ids, numbers = append(ids, l.ID), append(numbers, l.Line)
		categories, brands = append(categories, l.CategoryID), append(brands, l.BrandID)
	}
	if _, err := tx.Exec(ctx, importLines, kept(part.ID), ids, numbers); err != nil {
		return nil, fmt.Errorf("note which lines name which products: %w", err)
	}
	// In the order of everybody who writes to the catalogue: see the triggers of the documents.
	for _, lock := range []struct {
		sql string
		ids []string
	}{{lockImportProducts, ids}, {holdImportCategories, categories}, {holdImportBrands, brands}, {lockImportDocuments, ids}} {
		if _, err := tx.Exec(ctx, lock.sql, lock.ids); err != nil {
			return nil, fmt.Errorf("lock what a part is about: %w", err)
		}
	}
	rows, err := importRows(part.Products)
	if err != nil {
		return nil, err
	}
	faults, err := collect(ctx, tx, scanLineError, checkImport, kept(part.ID), rows)
	if err != nil {
		return nil, fmt.Errorf("check lines: %w", err)
	}
	return faults, nil
}

// write takes products in, and returns how many were added and how many changed.
func write(ctx context.Context, tx pgx.Tx, sound []product.ImportLine) (created, changed int64, err error) {
	if len(sound) == 0 {
		return 0, 0, nil
	}
	rows, err := importRows(sound)
	if err != nil {
		return 0, 0, err
	}
	if err := tx.QueryRow(ctx, importProducts, rows).Scan(&created, &changed); err != nil {
		return 0, 0, fmt.Errorf("write products: %w", err)
	}
	return created, changed, nil
}

// keep keeps errors, and returns how many lines they are of.
func keep(ctx context.Context, tx pgx.Tx, id string, faults []product.LineError) (failed int, err error) {
	if len(faults) == 0 {
		return 0, nil
	}
	slices.SortStableFunc(faults, func(a, b product.LineError) int { return cmp.Compare(a.Line, b.Line) })
	var numbers []int64
	var fields, reasons, descriptions []string
	for n, e := range faults {
		if n == 0 || e.Line != faults[n-1].Line {
			failed++
		}
		numbers, fields, reasons = append(numbers, e.Line), append(fields, e.Field), append(reasons, e.Reason)
		descriptions = append(descriptions, e.Description)
	}
	if _, err := tx.Exec(ctx, keepImportErrors, id, numbers, fields, reasons, descriptions); err != nil {
		return 0, fmt.Errorf("keep errors: %w", err)
	}
	return failed, nil
}

// importRow is a line's product for SQL. Null: as it is.
type importRow struct {
	Line          int64    `json:"line"`
	ProductID     string   `json:"product_id"`
	Name          string   `json:"name"`
	BrandID       string   `json:"brand_id"`
	CategoryID    string   `json:"category_id"`
	Description   string   `json:"description"`
	Size          string   `json:"size"`
	GTIN          string   `json:"gtin"`
	Tags          []string `json:"tags"`
	ImageURI      string   `json:"image_uri"`
	Status        *string  `json:"status"`
	Price         int64    `json:"price"`
	Currency      string   `json:"currency"`
	TaxRateBPS    int32    `json:"tax_rate_bps"`
	Cost          *int64   `json:"cost"`
	StoreIDs      []string `json:"store_ids"`
	MaxPerShopper int32    `json:"max_per_shopper"`
	PieceGrams    int32    `json:"piece_grams"`
	FamilyID      string   `json:"family_id"`
	MoreImageURIs []string `json:"more_image_uris"`
}

func importRows(lines []product.ImportLine) (string, error) {
	rows := make([]importRow, 0, len(lines))
	for _, l := range lines {
		row := importRow{
			Line: l.Line, ProductID: l.ID, Name: l.Name, BrandID: l.BrandID, CategoryID: l.CategoryID, Description: l.Description,
			Size: l.Size, GTIN: l.GTIN, Tags: orEmpty(l.Tags), ImageURI: l.ImageURI, Price: l.Price.Minor, Currency: l.Price.Currency,
			TaxRateBPS: l.TaxRateBPS, Cost: minor(l.Cost), StoreIDs: orEmpty(l.StoreIDs), MaxPerShopper: l.MaxPerShopper,
			PieceGrams: l.PieceGrams, FamilyID: l.FamilyID, MoreImageURIs: orEmpty(l.MoreImageURIs),
		}
		if l.Status != "" {
			status := string(l.Status)
			row.Status = &status
		}
		rows = append(rows, row)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return "", fmt.Errorf("encode lines: %w", err)
	}
	return string(text), nil
}

func importNotFound(id product.ImportID) error {
	return fault.ImportNotFound.New("there is no import %q", id.Key)
}
