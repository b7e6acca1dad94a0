package product

import (
	"bytes"
	"cmp"
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// ImportProducts implements ProductServiceServer: a file that a message holds. ImportHandler takes those of any length.
func (s *Server) ImportProducts(ctx context.Context, req *productpb.ImportProductsRequest) (*productpb.Import, error) {
	id, err := serve.IdempotencyKey(ctx)
	if err != nil {
		return nil, err
	}
	data := req.GetFile().GetData()
	return intake{look: s.GetImport, take: s.ImportPart}.file(ctx, id, req.GetFile().GetContentType(), bytes.NewReader(data), int64(len(data)))
}

// ImportPart implements ProductServiceServer.
func (s *Server) ImportPart(ctx context.Context, req *productpb.ImportPartRequest) (*productpb.Import, error) {
	part := ImportPart{
		ID: importID(ctx, req.GetImportId()), Format: formats[req.GetFormat()], After: req.GetAfterLine(), Digest: req.GetDigest(), Last: req.GetLast(),
		Bytes: req.GetBytes(), Size: req.GetSizeBytes(),
	}
	stands, err := s.importer.TakeIn(ctx, part, req.GetLines())
	if err != nil {
		return nil, err
	}
	return stands.proto(), nil
}

// GetImport implements ProductServiceServer.
func (s *Server) GetImport(ctx context.Context, req *productpb.GetImportRequest) (*productpb.Import, error) {
	stands, err := s.importer.Import(ctx, importID(ctx, req.GetImportId()))
	if err != nil {
		return nil, err
	}
	return stands.proto(), nil
}

// ListImports implements ProductServiceServer.
func (s *Server) ListImports(ctx context.Context, req *productpb.ListImportsRequest) (*productpb.ListImportsResponse, error) {
	latest, err := s.importer.Latest(ctx, cmp.Or(int(req.GetPageSize()), 20))
	if err != nil {
		return nil, err
	}
	answer := &productpb.ListImportsResponse{}
	for _, i := range latest {
		one := i.proto()
		one.UserId = i.ID.UserID
		answer.Imports = append(answer.Imports, one)
	}
	return answer, nil
}

// importID is the caller's import of a key.
func importID(ctx context.Context, key string) ImportID {
	return ImportID{UserID: identity.FromContext(ctx).UserID, Key: key}
}

var formats = map[productpb.ImportPartRequest_Format]ImportFormat{
	productpb.ImportPartRequest_NDJSON: NDJSON, productpb.ImportPartRequest_CSV: CSV,
}

func (i Import) proto() *productpb.Import {
	answered := &productpb.Import{
		ImportId: i.ID.Key, State: productpb.Import_RUNNING, Lines: i.Lines, Digest: i.Digest, Bytes: i.Bytes, SizeBytes: i.Size,
		Created: i.Created, Changed: i.Changed, Unchanged: i.Unchanged, Failed: i.Failed,
		CreateTime: timestamppb.New(i.CreateTime), UpdateTime: timestamppb.New(i.UpdateTime),
	}
	if i.Done {
		answered.State = productpb.Import_DONE
	}
	for _, e := range i.Errors {
		answered.Errors = append(answered.Errors, &productpb.ImportError{Line: e.Line, Field: e.Field, Reason: e.Reason, Description: e.Description})
	}
	return answered
}
