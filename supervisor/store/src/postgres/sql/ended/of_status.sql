    AND upper(status) = $1
