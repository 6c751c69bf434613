package server

import (
	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/fib"
)

// Numbers of the fields of vasicv1.OperationResult.
const resultID, resultStatus, resultRevision, resultRouteID, resultGeneration, resultReason, resultError, resultWarning = 1, 2, 3, 4, 5, 6, 7, 8

// answers are answers to operations in wire format, as ModifyRoutesResponse.results.
type answers struct {
	pieces pieces
	count  int
	bytes  int
}

// grow makes room for so many answers that are not refused: a new piece where the last one has none, twice as large as that, so that those that are there are not copied.
func (a *answers) grow(n int) {
	const usual = 28 // bytes of one
	last := []byte(nil)
	if k := len(a.pieces); k > 0 {
		last = a.pieces[k-1]
	}
	if cap(last)-len(last) < n*usual {
		a.pieces = append(a.pieces, make([]byte, 0, max(n*usual, min(2*cap(last), maxMessageBytes))))
	}
}

// message cuts off what fits into one message. There is something left.
func (a *answers) message() codec.Raw {
	n, bytes := 1, len(a.pieces[0])
	for ; n < len(a.pieces) && bytes+len(a.pieces[n]) <= maxMessageBytes; n++ {
		bytes += len(a.pieces[n])
	}
	message := codec.Raw(a.pieces[:n])
	a.pieces = a.pieces[n:]
	return message
}

// open begins an answer, which shut ends.
func (a *answers) open(id uint64, status vasicv1.OperationStatus) (piece *[]byte, b []byte, start int) {
	a.count++
	piece = a.pieces.last()
	b, start = open(*piece, fieldResults)
	b = appendUint(b, resultID, id)
	return piece, appendUint(b, resultStatus, uint64(status)), start //nolint:gosec // not negative
}

// shut ends an answer.
func (a *answers) shut(piece *[]byte, b []byte, start int) {
	b = shut(b, start)
	a.bytes += len(b) - len(*piece)
	*piece = b
}

// accepted adds the first answer to an operation that was not refused.
func (a *answers) accepted(id uint64, answer *fib.Answer) {
	piece, b, start := a.open(id, vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED)
	b = appendUint(b, resultRevision, answer.Revision)
	b = appendUint(b, resultRouteID, answer.ID)
	b = appendUint(b, resultGeneration, answer.Generation)
	a.shut(piece, appendText(b, resultWarning, answer.Warning), start)
}

// refused adds the answer to an operation that was.
func (a *answers) refused(id uint64, why *refusal) {
	piece, b, start := a.open(id, vasicv1.OperationStatus_OPERATION_STATUS_REFUSED)
	a.shut(piece, appendMessage(b, resultError, why.operationError()), start)
}

// settled adds what became of an operation in hardware.
func (a *answers) settled(id uint64, status vasicv1.OperationStatus, reason fib.Reason) {
	piece, b, start := a.open(id, status)
	a.shut(piece, appendUint(b, resultReason, uint64(reason)), start)
}

// take moves the answers of another list here.
func (a *answers) take(more *answers) {
	a.pieces, a.count, a.bytes = append(a.pieces, more.pieces...), a.count+more.count, a.bytes+more.bytes
	*more = answers{}
}
