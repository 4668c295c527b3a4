"""After-sale: a buyer asks the money of unused goods back, the shop answers, the money goes the way it came."""
