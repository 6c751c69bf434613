package vasic

import (
	"errors"
	"strings"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// One sentinel for each ErrorReason, for errors.Is. What they mean, and which codes and errnos come with them, is said at the
// reason in the contract.
var (
	// ErrMalformed: ERROR_REASON_MALFORMED.
	ErrMalformed = errors.New("vasic: a field cannot be read, is missing, or does not go with another one")
	// ErrHostBitsSet: ERROR_REASON_HOST_BITS_SET.
	ErrHostBitsSet = errors.New("vasic: a prefix has bits set behind its length")
	// ErrFamilyMismatch: ERROR_REASON_FAMILY_MISMATCH.
	ErrFamilyMismatch = errors.New("vasic: an address is of another family than the route")
	// ErrOutOfRange: ERROR_REASON_OUT_OF_RANGE.
	ErrOutOfRange = errors.New("vasic: a number is outside its range")
	// ErrUnknownEnum: ERROR_REASON_UNKNOWN_ENUM.
	ErrUnknownEnum = errors.New("vasic: an enum has a value that the switch does not know")
	// ErrBatchTooLarge: ERROR_REASON_BATCH_TOO_LARGE.
	ErrBatchTooLarge = errors.New("vasic: a batch has more operations than the switch takes")
	// ErrEmptyBatch: ERROR_REASON_EMPTY_BATCH.
	ErrEmptyBatch = errors.New("vasic: a batch has no operation")
	// ErrEmptyFilter: ERROR_REASON_EMPTY_FILTER.
	ErrEmptyFilter = errors.New("vasic: a flush would select every route")
	// ErrRouteExists: ERROR_REASON_ROUTE_EXISTS.
	ErrRouteExists = errors.New("vasic: a route of that name exists")
	// ErrRouteNotFound: ERROR_REASON_ROUTE_NOT_FOUND.
	ErrRouteNotFound = errors.New("vasic: no route matches")
	// ErrTableNotFound: ERROR_REASON_TABLE_NOT_FOUND.
	ErrTableNotFound = errors.New("vasic: the table has never had a route")
	// ErrGatewayUnreachable: ERROR_REASON_GATEWAY_UNREACHABLE.
	ErrGatewayUnreachable = errors.New("vasic: no link reaches the gateway")
	// ErrLinkNotFound: ERROR_REASON_LINK_NOT_FOUND.
	ErrLinkNotFound = errors.New("vasic: no link has that name")
	// ErrLinkDown: ERROR_REASON_LINK_DOWN.
	ErrLinkDown = errors.New("vasic: the link of a next hop is down")
	// ErrAddressNotLocal: ERROR_REASON_ADDRESS_NOT_LOCAL.
	ErrAddressNotLocal = errors.New("vasic: the preferred source is not an address of the switch")
	// ErrTableFull: ERROR_REASON_TABLE_FULL.
	ErrTableFull = errors.New("vasic: the hardware table is full")
	// ErrCompacted: ERROR_REASON_REVISION_COMPACTED.
	ErrCompacted = errors.New("vasic: the events after the resume token have left the log")
	// ErrRevisionInFuture: ERROR_REASON_REVISION_IN_FUTURE.
	ErrRevisionInFuture = errors.New("vasic: the resume token is newer than the newest revision")
	// ErrEpochMismatch: ERROR_REASON_EPOCH_MISMATCH.
	ErrEpochMismatch = errors.New("vasic: the resume token is of another life of the switch")
	// ErrTooManyWatchers: ERROR_REASON_TOO_MANY_WATCHERS.
	ErrTooManyWatchers = errors.New("vasic: as many watches are open as the switch allows")
	// ErrShuttingDown: ERROR_REASON_SHUTTING_DOWN.
	ErrShuttingDown = errors.New("vasic: the switch is stopping")
	// ErrLinkExists: ERROR_REASON_LINK_EXISTS.
	ErrLinkExists = errors.New("vasic: a link of that name exists")
	// ErrLinkNotRemovable: ERROR_REASON_LINK_NOT_REMOVABLE.
	ErrLinkNotRemovable = errors.New("vasic: lo cannot be removed")
	// ErrAddressExists: ERROR_REASON_ADDRESS_EXISTS.
	ErrAddressExists = errors.New("vasic: the link has that address")
	// ErrAddressNotFound: ERROR_REASON_ADDRESS_NOT_FOUND.
	ErrAddressNotFound = errors.New("vasic: the link does not have that address")
	// ErrResourceNotFound: ERROR_REASON_RESOURCE_NOT_FOUND.
	ErrResourceNotFound = errors.New("vasic: no resource has that path")
	// ErrReloadForbidden: ERROR_REASON_RELOAD_FORBIDDEN.
	ErrReloadForbidden = errors.New("vasic: the setting dont_allow_reload is on")
	// ErrReloadFailed: ERROR_REASON_RELOAD_FAILED.
	ErrReloadFailed = errors.New("vasic: the setting fail_reload is on")
	// ErrNotPaused: ERROR_REASON_NOT_PAUSED.
	ErrNotPaused = errors.New("vasic: step needs a paused chip")
	// ErrUnsupported: ERROR_REASON_UNSUPPORTED.
	ErrUnsupported = errors.New("vasic: the switch does not do that")
	// ErrNeighborExists: ERROR_REASON_NEIGHBOR_EXISTS.
	ErrNeighborExists = errors.New("vasic: the neighbour has an entry")
	// ErrNeighborNotFound: ERROR_REASON_NEIGHBOR_NOT_FOUND.
	ErrNeighborNotFound = errors.New("vasic: the neighbour has no entry")
	// ErrNextHopExists: ERROR_REASON_NEXT_HOP_EXISTS.
	ErrNextHopExists = errors.New("vasic: a next-hop object has that id")
	// ErrNextHopNotFound: ERROR_REASON_NEXT_HOP_NOT_FOUND.
	ErrNextHopNotFound = errors.New("vasic: no next-hop object has that id")
	// ErrRuleExists: ERROR_REASON_RULE_EXISTS.
	ErrRuleExists = errors.New("vasic: such a rule exists")
	// ErrRuleNotFound: ERROR_REASON_RULE_NOT_FOUND.
	ErrRuleNotFound = errors.New("vasic: no rule matches")
	// ErrFaultNotFound: ERROR_REASON_FAULT_NOT_FOUND.
	ErrFaultNotFound = errors.New("vasic: no fault rule has that id")
)

// sentinels is the one table between reasons and sentinels.
var sentinels = map[vasicv1.ErrorReason]error{
	vasicv1.ErrorReason_ERROR_REASON_MALFORMED:           ErrMalformed,
	vasicv1.ErrorReason_ERROR_REASON_HOST_BITS_SET:       ErrHostBitsSet,
	vasicv1.ErrorReason_ERROR_REASON_FAMILY_MISMATCH:     ErrFamilyMismatch,
	vasicv1.ErrorReason_ERROR_REASON_OUT_OF_RANGE:        ErrOutOfRange,
	vasicv1.ErrorReason_ERROR_REASON_UNKNOWN_ENUM:        ErrUnknownEnum,
	vasicv1.ErrorReason_ERROR_REASON_BATCH_TOO_LARGE:     ErrBatchTooLarge,
	vasicv1.ErrorReason_ERROR_REASON_EMPTY_BATCH:         ErrEmptyBatch,
	vasicv1.ErrorReason_ERROR_REASON_EMPTY_FILTER:        ErrEmptyFilter,
	vasicv1.ErrorReason_ERROR_REASON_ROUTE_EXISTS:        ErrRouteExists,
	vasicv1.ErrorReason_ERROR_REASON_ROUTE_NOT_FOUND:     ErrRouteNotFound,
	vasicv1.ErrorReason_ERROR_REASON_TABLE_NOT_FOUND:     ErrTableNotFound,
	vasicv1.ErrorReason_ERROR_REASON_GATEWAY_UNREACHABLE: ErrGatewayUnreachable,
	vasicv1.ErrorReason_ERROR_REASON_LINK_NOT_FOUND:      ErrLinkNotFound,
	vasicv1.ErrorReason_ERROR_REASON_LINK_DOWN:           ErrLinkDown,
	vasicv1.ErrorReason_ERROR_REASON_ADDRESS_NOT_LOCAL:   ErrAddressNotLocal,
	vasicv1.ErrorReason_ERROR_REASON_TABLE_FULL:          ErrTableFull,
	vasicv1.ErrorReason_ERROR_REASON_REVISION_COMPACTED:  ErrCompacted,
	vasicv1.ErrorReason_ERROR_REASON_REVISION_IN_FUTURE:  ErrRevisionInFuture,
	vasicv1.ErrorReason_ERROR_REASON_EPOCH_MISMATCH:      ErrEpochMismatch,
	vasicv1.ErrorReason_ERROR_REASON_TOO_MANY_WATCHERS:   ErrTooManyWatchers,
	vasicv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN:       ErrShuttingDown,
	vasicv1.ErrorReason_ERROR_REASON_LINK_EXISTS:         ErrLinkExists,
	vasicv1.ErrorReason_ERROR_REASON_LINK_NOT_REMOVABLE:  ErrLinkNotRemovable,
	vasicv1.ErrorReason_ERROR_REASON_ADDRESS_EXISTS:      ErrAddressExists,
	vasicv1.ErrorReason_ERROR_REASON_ADDRESS_NOT_FOUND:   ErrAddressNotFound,
	vasicv1.ErrorReason_ERROR_REASON_RESOURCE_NOT_FOUND:  ErrResourceNotFound,
	vasicv1.ErrorReason_ERROR_REASON_RELOAD_FORBIDDEN:    ErrReloadForbidden,
	vasicv1.ErrorReason_ERROR_REASON_RELOAD_FAILED:       ErrReloadFailed,
	vasicv1.ErrorReason_ERROR_REASON_NOT_PAUSED:          ErrNotPaused,
	vasicv1.ErrorReason_ERROR_REASON_UNSUPPORTED:         ErrUnsupported,
	vasicv1.ErrorReason_ERROR_REASON_NEIGHBOR_EXISTS:     ErrNeighborExists,
	vasicv1.ErrorReason_ERROR_REASON_NEIGHBOR_NOT_FOUND:  ErrNeighborNotFound,
	vasicv1.ErrorReason_ERROR_REASON_NEXT_HOP_EXISTS:     ErrNextHopExists,
	vasicv1.ErrorReason_ERROR_REASON_NEXT_HOP_NOT_FOUND:  ErrNextHopNotFound,
	vasicv1.ErrorReason_ERROR_REASON_RULE_EXISTS:         ErrRuleExists,
	vasicv1.ErrorReason_ERROR_REASON_RULE_NOT_FOUND:      ErrRuleNotFound,
	vasicv1.ErrorReason_ERROR_REASON_FAULT_NOT_FOUND:     ErrFaultNotFound,
}

// reasonPrefix is what names on the wire lack.
const reasonPrefix = "ERROR_REASON_"

// reasonName is the name of a reason on the wire.
func reasonName(r vasicv1.ErrorReason) string { return strings.TrimPrefix(r.String(), reasonPrefix) }

// reasonOf inverts reasonName; UNSPECIFIED if nothing has that name.
func reasonOf(name string) vasicv1.ErrorReason {
	return vasicv1.ErrorReason(vasicv1.ErrorReason_value[reasonPrefix+name])
}
