"""Reading notebooks: cells, findings, the nbconvert exporter."""
