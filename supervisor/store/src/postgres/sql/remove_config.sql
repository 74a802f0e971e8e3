-- $1: the organization, $2: the key.
DELETE FROM config_entries WHERE organization_id IS NOT DISTINCT FROM $1 AND key = $2
