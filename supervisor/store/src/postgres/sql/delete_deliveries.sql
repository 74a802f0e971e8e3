DELETE FROM webhook_deliveries WHERE execution_id = $1
