"""What to answer when somebody asks for a resource that is not there."""

from gnomon.errors import NotFoundError
from gnomon.resources.identity import ResourceKey
from gnomon.resources.wording import nearest
from gnomon.stores.records.interface import Records


def unknown_resource(key: ResourceKey, records: Records) -> NotFoundError:
    """Return the error that names what was probably meant: a name like it, or the same name in another namespace."""
    there = [record.key for record in records.resources(key.kind)]
    elsewhere = sorted(other.namespace for other in there if other.name == key.name)
    near = nearest(key.name, [other.name for other in there if other.namespace == key.namespace])
    if elsewhere:
        mend = f"it is in namespace {', '.join(elsewhere)}: give --namespace"
    elif near is not None:
        mend = f'did you mean "{near}"?'
    else:
        mend = f"list what there is with `gnomon get {key.kind.lower()}s`"
    return NotFoundError(f"there is no {key}", mend)
